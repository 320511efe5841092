#pragma once
#include "ops/losses.h"

// torch.nn.functional.smooth_l1_loss: pred and targets of one shape -> loss [1] and its gradient with regard
// to pred, both float32. With labels i32 [N], pred [N, 4 C] and targets [N, 4]: of each row with a label
// above 0 the four columns of its class, as torchvision's fastrcnn_loss. Mean over values (rows with labels:
// over rows), or sum divided by `normalizer`; of no terms 0.
namespace nlrcnn::smooth_l1 {

inline constexpr size_t kInputs = 3;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline int64_t terms(const OpCall& call) {
  return call.has(2) ? call.in[0].shape[0] : element_count(call.in[0].shape);
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  float weight;
  double beta;
  if (Status s = check_float(call, 0, "pred"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  Shape wanted = shape;
  if (call.has(2)) {
    if (shape.size() != 2 || shape[1] < 4 || shape[1] % 4) return expected_shape("pred", "[N, 4 C]", shape);
    if (Status s = losses::check_labels(call, 2, shape[0]); !s.ok()) return s;
    wanted = {shape[0], 4};
  }
  if (Status s = check_shape(call, 1, "targets", wanted); !s.ok()) return s;
  if (Status s = read_number(call, "beta", 0, 1e30, 1, &beta); !s.ok()) return s;
  if (Status s = losses::read_weight(call, terms(call), &weight); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {1}}, {DType::f32, shape}};
}

}  // namespace nlrcnn::smooth_l1
