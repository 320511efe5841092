#pragma once
#include "ops/losses.h"

// torch.nn.functional.cross_entropy: logits [N, C], labels i32 [N] -> loss [1] and its gradient with regard
// to logits [N, C], both float32. Mean over rows, or sum divided by `normalizer`; of no rows 0.
namespace nlrcnn::softmax_cross_entropy {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  float weight;
  if (Status s = check_float(call, 0, "logits"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  if (shape.size() != 2 || shape[1] < 1) return expected_shape("logits", "[N, C]", shape);
  if (Status s = losses::check_labels(call, 1, shape[0]); !s.ok()) return s;
  if (Status s = losses::read_weight(call, shape[0], &weight); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {1}}, {DType::f32, shape}};
}

}  // namespace nlrcnn::softmax_cross_entropy
