#pragma once
#include "ops/geometry.h"

// torchvision's resize_boxes: boxes [N, 4] (xyxy) times scale [x, y] (or of geometry) -> [N, 4].
namespace nlrcnn::box_rescale {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  std::vector<float> scale;
  if (Status s = check_boxes(call, 0, "boxes"); !s.ok()) return s;
  if (Status s = check_geometry(call, 1); !s.ok()) return s;
  if (!call.has(1))
    if (Status s = read_numbers(call, "scale", 2, &scale); !s.ok()) return s;
  return std::vector<TensorDesc>{call.in[0]};
}

}  // namespace nlrcnn::box_rescale
