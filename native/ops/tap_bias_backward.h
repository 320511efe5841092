#pragma once
#include "ops/check.h"

// Gradients of tap_bias: grad [K, O, H, W], y [K, D], weight [O, D, 3, 3], count [1]? -> of y [K, D] (zero
// beyond count), of weight [O, D, 3, 3] and of bias [O], the last two float32.
namespace nlrcnn::tap_bias_backward {

inline constexpr size_t kInputs = 4;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::blocked : input == 1 ? Wants::activation : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "y"); !s.ok()) return s;
  if (Status s = check_float(call, 2, "weight"); !s.ok()) return s;
  const Shape &grad = call.in[0].shape, &y = call.in[1].shape, &w = call.in[2].shape;
  if (y.size() != 2) return expected_shape("y", "[K, D]", y);
  if (w.size() != 4 || w[0] < 1 || w[1] != y[1] || w[2] != 3 || w[3] != 3)
    return expected_shape("weight", ("[O, " + std::to_string(y[1]) + ", 3, 3]").c_str(), w);
  if (grad.size() != 4 || grad[0] != y[0] || grad[1] != w[0] || grad[2] < 1 || grad[3] < 1)
    return expected_shape(
        "grad", ("[" + std::to_string(y[0]) + ", " + std::to_string(w[0]) + ", H, W]").c_str(), grad);
  if (Status s = check_count(call, 3); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, y}, {DType::f32, w}, {DType::f32, {w[0]}}};
}

}  // namespace nlrcnn::tap_bias_backward
