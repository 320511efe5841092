#pragma once
#include "ops/check.h"

// The gradient of upsample_add with regard to top: grad [N, C, H, W] -> [N, C, h, w], `size` h and w. That of
// lateral is grad itself.
namespace nlrcnn::upsample_add_backward {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::blocked;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t size[2];
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  if (Status s = read_pair(call, "size", 1, 0, size); !s.ok()) return s;
  const Shape& grad = call.in[0].shape;
  if (grad.size() != 4) return expected_shape("grad", "[N, C, H, W]", grad);
  return std::vector<TensorDesc>{
      {call.target.compute, {grad[0], grad[1], size[0], size[1]}, Layout::blocked}};
}

}  // namespace nlrcnn::upsample_add_backward
