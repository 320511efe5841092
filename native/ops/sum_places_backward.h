#pragma once
#include "ops/check.h"

// The gradient of sum_places: grad [O, C] -> repeated at each place [O, C · places], float32.
namespace nlrcnn::sum_places_backward {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t places;
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  if (Status s = read_integer(call, "places", 1, 0, &places); !s.ok()) return s;
  const Shape& grad = call.in[0].shape;
  if (grad.size() != 2) return expected_shape("grad", "[O, C]", grad);
  return std::vector<TensorDesc>{{DType::f32, {grad[0], grad[1] * places}}};
}

}  // namespace nlrcnn::sum_places_backward
