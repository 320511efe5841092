#pragma once
#include "ops/norm.h"

// torch.nn.functional.group_norm, with residual and ReLU behind it: x [N, C, H, W], weight [C], bias [C],
// residual [N, C, H, W]? -> y [N, C, H, W], mean and 1 / sqrt(var + eps) of each group [N, groups].
namespace nlrcnn::group_norm {

inline constexpr size_t kInputs = 4;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 || input == 3 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t groups;
  if (Status s = norm::check_input(call); !s.ok()) return s;
  const Shape& x = call.in[0].shape;
  if (Status s = norm::read_groups(call, x[1], &groups); !s.ok()) return s;
  if (call.has(3))
    if (Status s = check_shape(call, 3, "residual", x); !s.ok()) return s;
  return std::vector<TensorDesc>{
      {call.target.compute, x, Layout::blocked}, {DType::f32, {x[0], groups}}, {DType::f32, {x[0], groups}}};
}

}  // namespace nlrcnn::group_norm
