#pragma once
#include "ops/check.h"

// The gradient of scale_rows with regard to scale: grad [O, …], weight [O, …] -> their products summed row by
// row [O], float32. That of weight is scale_rows of grad.
namespace nlrcnn::scale_rows_backward {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  if (shape.empty()) return expected_shape("grad", "[O, …]", shape);
  if (Status s = check_shape(call, 1, "weight", shape); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {shape[0]}}};
}

}  // namespace nlrcnn::scale_rows_backward
