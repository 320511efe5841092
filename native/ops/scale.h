#pragma once
#include "ops/check.h"

// x · by[0] · factor: x of any shape and layout, by [1]? -> as x, activations where blocked, else float32.
namespace nlrcnn::scale {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall& call, size_t input) {
  return input == 0 && call.in[0].layout == Layout::blocked ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  double factor;
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  if (call.has(1))
    if (Status s = check_shape(call, 1, "by", {1}); !s.ok()) return s;
  if (Status s = read_number(call, "factor", -1e30, 1e30, 1, &factor); !s.ok()) return s;
  const bool blocked = call.in[0].layout == Layout::blocked;
  return std::vector<TensorDesc>{
      {blocked ? call.target.compute : DType::f32, call.in[0].shape, call.in[0].layout}};
}

}  // namespace nlrcnn::scale
