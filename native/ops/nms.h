#pragma once
#include "ops/check.h"

// torchvision.ops.nms and batched_nms: boxes [N, 4] (xyxy), scores [N], groups i32 [N]? -> kept indices i32
// [-1].
namespace nlrcnn::nms {

inline constexpr size_t kInputs = 3;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  double threshold;
  if (Status s = check_boxes(call, 0, "boxes"); !s.ok()) return s;
  const Shape rows{call.in[0].shape[0]};
  if (Status s = check_shape(call, 1, "scores", rows); !s.ok()) return s;
  if (call.has(2) && call.in[2].dtype != DType::i32)
    return Status::error(Code::dtype, "Expected groups of dtype int32 for nms");
  if (call.has(2) && call.in[2].shape != rows)
    return expected_shape("groups", to_string(rows).c_str(), call.in[2].shape);
  if (Status s = read_number(call, "threshold", 0, 1, 0.5, &threshold); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::i32, {-1}}};
}

}  // namespace nlrcnn::nms
