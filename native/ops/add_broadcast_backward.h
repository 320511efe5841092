#pragma once
#include "ops/check.h"

// The gradient of add_broadcast with regard to v: grad [K, D, H, W], count [1]? -> [K, D], zero beyond count.
// That of x is grad itself.
namespace nlrcnn::add_broadcast_backward {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::blocked;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  const Shape& grad = call.in[0].shape;
  if (grad.size() != 4) return expected_shape("grad", "[K, D, H, W]", grad);
  if (Status s = check_count(call, 1); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, {grad[0], grad[1]}}};
}

}  // namespace nlrcnn::add_broadcast_backward
