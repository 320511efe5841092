#pragma once
#include "ops/conv_transpose2d.h"
#include "ops/dense_gradients.h"

// Gradients of conv_transpose2d (kernel 2, stride 2): grad [N, O, 2H, 2W], x [N, C, H, W], weight
// [C, O, 2, 2], y [N, O, 2H, 2W] with a ReLU, count [1]? -> those asked for of x (zero beyond count), of
// weight and of bias [O], both float32.
namespace nlrcnn::conv_transpose2d_backward {

using namespace dense_gradients;

inline Wants wants(const OpCall& call, size_t input) {
  if (input == weight || input == count) return Wants::plain;
  return input != x || call.attrs.flag("dweight") ? Wants::blocked : Wants::any;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  auto out = conv_transpose2d::infer(forward_call(call, "conv_transpose2d"));
  if (!out.ok()) return out.status();
  if (read_asked(call).dresidual >= 0)
    return Status::error(Code::argument, "Expected no dresidual of conv_transpose2d_backward");
  return dense_gradients::infer(call, out.value()[0], Layout::blocked);
}

}  // namespace nlrcnn::conv_transpose2d_backward
