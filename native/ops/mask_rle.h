#pragma once
#include "ops/paste_masks.h"

// paste_masks as COCO compressed RLE: probs [D, M, M], boxes [D, 4] (xyxy), count [1]?, geometry [8]? ->
// bytes u8 [-1], offsets i32 [-1].
namespace nlrcnn::mask_rle {

inline constexpr size_t kInputs = 4;

// Runs are counted in 32 bits.
inline Status check_size(int64_t height, int64_t width) {
  if (height >= 1 && width >= 1 && height <= int64_t{UINT32_MAX} / width) return {};
  return Status::error(Code::argument,
                       "Expected height and width of mask_rle of 1 to 2^32 - 1 pixels but received " +
                           std::to_string(height) + " and " + std::to_string(width));
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  paste_masks::Settings settings;
  if (Status s = paste_masks::read_settings(call, &settings); !s.ok()) return s;
  if (Status s = check_geometry(call, 3); !s.ok()) return s;
  if (!call.has(3))
    if (Status s = check_size(settings.height, settings.width); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::u8, {-1}}, {DType::i32, {-1}}};
}

}  // namespace nlrcnn::mask_rle
