#pragma once
#include "ops/rpn_loss.h"

// The way back of rpn_loss: its gradients of the sampled objectness [S] and deltas [S, 4], indices i32 [S],
// upstream of either loss [1]? (absent: 0) -> the gradient of each level's objectness [images, anchors, h,
// w], then deltas [images, 4 anchors, h, w]; `level_sizes` h and w of each.
namespace nlrcnn::rpn_loss_backward {

inline constexpr size_t kInputs = 5;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Status read_levels(const OpCall& call, rpn_loss::Levels* out) {
  const auto sizes = call.attrs.numbers("level_sizes", {});
  if (Status s = read_integer(call, "images", 0, 0, &out->images); !s.ok()) return s;
  if (Status s = read_integer(call, "anchors", 1, 0, &out->anchors); !s.ok()) return s;
  bool known = !sizes.empty() && sizes.size() % 2 == 0;
  for (double v : sizes) known = known && v >= 0 && v <= 1 << 24 && v == static_cast<int64_t>(v);
  if (!known)
    return Status::error(
        Code::argument, "Expected level_sizes of rpn_loss_backward to be the height and width of each level");
  if (sizes.size() > 2 * rpn_loss::kLevels) return rpn_loss::too_many_levels();
  out->count = static_cast<int>(sizes.size() / 2);
  for (int l = 0; l < out->count; ++l) {
    out->height[l] = static_cast<int64_t>(sizes[2 * l]);
    out->width[l] = static_cast<int64_t>(sizes[2 * l + 1]);
  }
  return {};
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  rpn_loss::Levels levels;
  if (Status s = rpn_loss::check_indices(call, 2); !s.ok()) return s;
  const int64_t sampled = call.in[2].shape[0];
  if (Status s = check_shape(call, 0, "grad_objectness", {sampled}); !s.ok()) return s;
  if (Status s = check_shape(call, 1, "grad_deltas", {sampled, 4}); !s.ok()) return s;
  for (size_t i : {3, 4})
    if (call.has(i))
      if (Status s = check_shape(call, i, "upstream", {1}); !s.ok()) return s;
  if (Status s = read_levels(call, &levels); !s.ok()) return s;
  std::vector<TensorDesc> out;
  for (int64_t each : {1, 4})
    for (int l = 0; l < levels.count; ++l)
      out.push_back({call.target.compute,
                     {levels.images, each * levels.anchors, levels.height[l], levels.width[l]},
                     Layout::blocked});
  return out;
}

}  // namespace nlrcnn::rpn_loss_backward
