#pragma once
#include "ops/losses.h"

// torchvision's maskrcnn_loss behind its targets: logits [K, C, H, W], labels i32 [K], targets [K, H, W] ->
// the binary cross entropy of each RoI's own class [1], over `rois` (default: K) · H · W, and its gradient
// with regard to those logits [K, H, W], both float32. RoIs of label -1 count nothing.
namespace nlrcnn::mask_loss {

inline constexpr size_t kInputs = 3;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "logits"); !s.ok()) return s;
  const Shape& shape = call.in[0].shape;
  if (shape.size() != 4 || shape[1] < 1) return expected_shape("logits", "[K, C, H, W]", shape);
  if (Status s = losses::check_labels(call, 1, shape[0]); !s.ok()) return s;
  int64_t rois;
  if (Status s = read_integer(call, "rois", 0, shape[0], &rois); !s.ok()) return s;
  const Shape own{shape[0], shape[2], shape[3]};
  if (Status s = check_shape(call, 2, "targets", own); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {1}}, {DType::f32, own}};
}

// What each place of an RoI counts.
inline float weight(const OpCall& call) {
  const Shape& shape = call.in[0].shape;
  const int64_t places = call.attrs.integer("rois", shape[0]) * shape[2] * shape[3];
  return 1 / static_cast<float>(places > 1 ? places : 1);
}

}  // namespace nlrcnn::mask_loss
