#pragma once
#include "ops/max_pool2d.h"

// The gradient of max_pool2d: grad [N, C, H', W'], x [N, C, H, W] -> [N, C, H, W]. Of equal values in a
// window the first has it, as in torch.
namespace nlrcnn::max_pool2d_backward {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::blocked;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "x"); !s.ok()) return s;
  OpCall forward = call;
  forward.in.erase(forward.in.begin());
  forward.present.erase(forward.present.begin());
  auto out = max_pool2d::infer(forward);
  if (!out.ok()) return out.status();
  if (Status s = check_shape(call, 0, "grad", out.value()[0].shape); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, call.in[1].shape, Layout::blocked}};
}

}  // namespace nlrcnn::max_pool2d_backward
