#pragma once
#include "ops/check.h"

// weight [O, …] times scale [O], row by row -> [O, …], float32: what folding a norm does.
namespace nlrcnn::scale_rows {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "weight"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  if (shape.empty()) return expected_shape("weight", "[O, …]", shape);
  if (Status s = check_shape(call, 1, "scale", {shape[0]}); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, shape}};
}

}  // namespace nlrcnn::scale_rows
