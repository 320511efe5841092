#pragma once
#include "ops/check.h"

// torchvision.ops.clip_boxes_to_image: boxes [N, 4] (xyxy) -> [N, 4].
namespace nlrcnn::box_clip {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t size[2];
  if (Status s = check_boxes(call, 0, "boxes"); !s.ok()) return s;
  if (Status s = read_pair(call, "image_size", 1, 0, size); !s.ok()) return s;
  return std::vector<TensorDesc>{call.in[0]};
}

}  // namespace nlrcnn::box_clip
