#pragma once
#include "ops/check.h"

// a + b of one shape, in the layout of a: blocked activations, or float32 row-major.
namespace nlrcnn::add {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall& call, size_t) {
  return call.in[0].layout == Layout::blocked ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "a"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "b"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  if (call.in[1].shape != shape) return expected_shape("b", to_string(shape).c_str(), call.in[1].shape);
  const bool blocked = call.in[0].layout == Layout::blocked;
  return std::vector<TensorDesc>{{blocked ? call.target.compute : DType::f32, shape, call.in[0].layout}};
}

}  // namespace nlrcnn::add
