#pragma once
#include "ops/losses.h"

// torch.nn.functional.binary_cross_entropy_with_logits: logits and targets of one shape -> loss [1] and its
// gradient with regard to logits, both float32. Mean, or sum divided by `normalizer`; of no terms 0.
namespace nlrcnn::sigmoid_cross_entropy {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  float weight;
  if (Status s = check_float(call, 0, "logits"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  if (Status s = check_shape(call, 1, "targets", shape); !s.ok()) return s;
  if (Status s = losses::read_weight(call, element_count(shape), &weight); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {1}}, {DType::f32, shape}};
}

}  // namespace nlrcnn::sigmoid_cross_entropy
