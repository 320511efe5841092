#pragma once
#include "ops/conv2d.h"
#include "ops/dense_gradients.h"

// Gradients of conv2d: grad [N, O, H', W'], x [N, C, H, W], weight [O, C / groups, kh, kw], y [N, O, H', W']
// with a ReLU, count [1]? -> those asked for of x (zero beyond count), of weight and bias [O], both float32,
// and of the residual.
namespace nlrcnn::conv2d_backward {

using namespace dense_gradients;

// x itself is read for the weight's gradient alone.
inline Wants wants(const OpCall& call, size_t input) {
  if (input == weight || input == count) return Wants::plain;
  if (input != x) return Wants::blocked;
  return call.attrs.flag("dweight") ? conv2d::wants(forward_call(call, "conv2d"), 0) : Wants::any;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  auto out = conv2d::infer(forward_call(call, "conv2d"));
  if (!out.ok()) return out.status();
  return dense_gradients::infer(call, out.value()[0], Layout::blocked);
}

}  // namespace nlrcnn::conv2d_backward
