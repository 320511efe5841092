#pragma once
#include "ops/losses.h"

// The way back of mask_loss: what it gave as gradient [K, H, W], labels i32 [K] (-1: none), upstream [1] ->
// the gradient of all logits [K, classes, H, W].
namespace nlrcnn::mask_loss_backward {

inline constexpr size_t kInputs = 3;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t classes;
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  const Shape& grad = call.in[0].shape;
  if (grad.size() != 3) return expected_shape("grad", "[K, H, W]", grad);
  if (Status s = losses::check_labels(call, 1, grad[0]); !s.ok()) return s;
  if (Status s = check_shape(call, 2, "upstream", {1}); !s.ok()) return s;
  if (Status s = read_integer(call, "classes", 1, 0, &classes); !s.ok()) return s;
  return std::vector<TensorDesc>{
      {call.target.compute, {grad[0], classes, grad[1], grad[2]}, Layout::blocked}};
}

}  // namespace nlrcnn::mask_loss_backward
