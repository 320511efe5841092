#pragma once
#include "ops/check.h"

// torchvision's project_masks_on_boxes on masks that GeneralizedRCNNTransform resized (nearest): bitmaps u8
// [B] of 0 and 1, windows i32 [G, 9] (Window), rois [K, 5] (object, then xyxy in the resized picture) -> f32
// [K, size, size], RoIAlign's mean over ceil(side / size) samples of each bin and axis.
namespace nlrcnn::mask_targets {

inline constexpr size_t kInputs = 3;

// Where one object's mask is: row-major at `offset` of the bitmaps, a window of its picture outside of which
// it is 0.
struct Window {
  int32_t offset, x, y, width, height;
  int32_t picture_height, picture_width;
  int32_t resized_height, resized_width;
};

// F.interpolate(mode="nearest"), the row or column that `at` of `resized` comes from.
NLRCNN_HD inline int source_of(int at, int size, int resized) {
  const int from =
      static_cast<int>(static_cast<float>(at) * (static_cast<float>(size) / static_cast<float>(resized)));
  return from < size ? from : size - 1;
}

// Sides of pictures, as the settings of other ops have them.
inline constexpr int32_t kMostPixels = 1 << 20;

NLRCNN_HD inline bool is_side(int32_t pixels) {
  return pixels > 0 && pixels <= kMostPixels;
}

NLRCNN_HD inline bool is_place(int32_t at) {
  return at >= -kMostPixels && at <= kMostPixels;
}

NLRCNN_HD inline bool fits(const Window& w, int64_t bytes) {
  return w.offset >= 0 && w.width >= 0 && w.height >= 0 && is_place(w.x) && is_place(w.y) &&
         is_side(w.picture_height) && is_side(w.picture_width) && is_side(w.resized_height) &&
         is_side(w.resized_width) && w.offset + int64_t{w.width} * w.height <= bytes;
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t size;
  if (!call.has(0) || call.in[0].dtype != DType::u8 || call.in[0].shape.size() != 1)
    return Status::error(Code::dtype, "Expected bitmaps of dtype uint8 and shape [B] for mask_targets");
  if (!call.has(1) || call.in[1].dtype != DType::i32)
    return Status::error(Code::dtype, "Expected windows of dtype int32 for mask_targets");
  const Shape& windows = call.in[1].shape;
  if (windows.size() != 2 || windows[1] != 9) return expected_shape("windows", "[G, 9]", windows);
  if (Status s = check_float(call, 2, "rois"); !s.ok()) return s;
  const Shape& rois = call.in[2].shape;
  if (rois.size() != 2 || rois[1] != 5) return expected_shape("rois", "[K, 5]", rois);
  if (Status s = read_integer(call, "size", 1, 28, &size); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {rois[0], size, size}}};
}

}  // namespace nlrcnn::mask_targets
