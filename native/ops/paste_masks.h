#pragma once
#include "ops/geometry.h"

// torchvision's paste_masks_in_image, thresholded: probs [D, M, M], boxes [D, 4] (xyxy), count [1]? -> u8 [D,
// height, width].
namespace nlrcnn::paste_masks {

inline constexpr size_t kInputs = 3;

struct Settings {
  int64_t height, width;
  double threshold;
};

// Shared with mask_rle, which takes the same inputs and geometry.
inline Status read_settings(const OpCall& call, Settings* out) {
  if (!call.has(3)) {
    if (Status s = read_integer(call, "height", 1, 0, &out->height); !s.ok()) return s;
    if (Status s = read_integer(call, "width", 1, 0, &out->width); !s.ok()) return s;
  }
  if (Status s = read_number(call, "threshold", 0, 1, 0.5, &out->threshold); !s.ok()) return s;
  if (Status s = check_float(call, 0, "probs"); !s.ok()) return s;
  const Shape& probs = call.in[0].shape;
  if (probs.size() != 3 || probs[1] != probs[2] || probs[1] < 1)
    return expected_shape("probs", "[D, M, M]", probs);
  if (Status s = check_boxes(call, 1, "boxes", probs[0]); !s.ok()) return s;
  return check_count(call, 2);
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::u8, {call.in[0].shape[0], settings.height, settings.width}}};
}

}  // namespace nlrcnn::paste_masks
