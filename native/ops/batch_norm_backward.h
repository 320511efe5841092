#pragma once
#include "ops/norm.h"

// Gradients of batch_norm: grad [N, C, H, W], x, y? (its output, where a ReLU is behind it), weight [C], mean
// [C] and inverse [C] that it gave -> of x, of weight and bias [C] float32, and where `residual` is set of
// the residual.
namespace nlrcnn::batch_norm_backward {

inline constexpr size_t kInputs = 6;

inline Wants wants(const OpCall&, size_t input) {
  return input < 3 ? Wants::blocked : Wants::plain;
}

// `groups`: 0 for batch_norm, whose mean has the shape [C]; else [N, groups].
inline Result<std::vector<TensorDesc>> infer_norm(const OpCall& call, int64_t groups) {
  if (Status s = check_float(call, 1, "x"); !s.ok()) return s;
  const Shape& x = call.in[1].shape;
  if (x.size() != 4 || x[1] < 1) return expected_shape("x", "[N, C, H, W]", x);
  if (Status s = check_shape(call, 0, "grad", x); !s.ok()) return s;
  if (call.has(2))
    if (Status s = check_shape(call, 2, "y", x); !s.ok()) return s;
  if (Status s = check_shape(call, 3, "weight", {x[1]}); !s.ok()) return s;
  const Shape sets = groups ? Shape{x[0], groups} : Shape{x[1]};
  if (Status s = check_shape(call, 4, "mean", sets); !s.ok()) return s;
  if (Status s = check_shape(call, 5, "inverse", sets); !s.ok()) return s;
  std::vector<TensorDesc> out{
      {call.target.compute, x, Layout::blocked}, {DType::f32, {x[1]}}, {DType::f32, {x[1]}}};
  if (call.attrs.flag("residual")) out.push_back(out[0]);
  return out;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  return infer_norm(call, 0);
}

}  // namespace nlrcnn::batch_norm_backward
