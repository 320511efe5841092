#pragma once
#include "ops/dense_gradients.h"
#include "ops/linear.h"

// Gradients of linear: grad [N, O], x [N, K] or [N, C, H, W] with C·H·W = K, weight [O, K], y [N, O] with a
// ReLU, count [1]? -> those asked for of x (zero beyond count), of weight and bias [O], both float32, and of
// accumulate.
namespace nlrcnn::linear_backward {

using namespace dense_gradients;

inline Wants wants(const OpCall& call, size_t input) {
  if (input == weight || input == count) return Wants::plain;
  return input == x ? Wants::any : Wants::activation;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  auto out = linear::infer(forward_call(call, "linear"));
  if (!out.ok()) return out.status();
  out.value()[0].dtype = call.target.compute;
  return dense_gradients::infer(call, out.value()[0], call.in[x].layout);
}

}  // namespace nlrcnn::linear_backward
