#pragma once
#include "ops/check.h"

// torchvision's BoxCoder.decode_single: boxes [N, 4] (xyxy), deltas [N, 4C] -> [N, 4C].
namespace nlrcnn::box_decode {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  std::vector<float> weights;
  if (Status s = check_boxes(call, 0, "boxes"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "deltas"); !s.ok()) return s;
  const Shape& deltas = call.in[1].shape;
  const int64_t rows = call.in[0].shape[0];
  if (deltas.size() != 2 || deltas[0] != rows || deltas[1] % 4)
    return expected_shape("deltas", ("[" + std::to_string(rows) + ", 4C]").c_str(), deltas);
  if (Status s = read_numbers(call, "weights", 4, &weights); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, deltas, Layout::plain}};
}

}  // namespace nlrcnn::box_decode
