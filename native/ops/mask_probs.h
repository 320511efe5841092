#pragma once
#include "ops/check.h"

// Sigmoid of a 1×1 convolution, of each RoI's own class only: x [D, C', H, W], weight [C, C', 1, 1], bias
// [C], labels i32 [D], count [1]? -> [D, H, W].
namespace nlrcnn::mask_probs {

inline constexpr size_t kInputs = 5;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "weight"); !s.ok()) return s;
  const Shape &x = call.in[0].shape, &w = call.in[1].shape;
  if (x.size() != 4) return expected_shape("x", "[D, C', H, W]", x);
  if (w.size() != 4 || w[1] != x[1] || w[2] != 1 || w[3] != 1)
    return expected_shape("weight", ("[C, " + std::to_string(x[1]) + ", 1, 1]").c_str(), w);
  if (Status s = check_shape(call, 2, "bias", {w[0]}); !s.ok()) return s;
  if (!call.has(3) || call.in[3].dtype != DType::i32)
    return Status::error(Code::dtype, "Expected labels of dtype int32 for mask_probs");
  if (call.in[3].shape != Shape{x[0]})
    return expected_shape("labels", to_string({x[0]}).c_str(), call.in[3].shape);
  if (Status s = check_count(call, 4); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {x[0], x[2], x[3]}}};
}

}  // namespace nlrcnn::mask_probs
