#pragma once
#include "ops/check.h"

namespace nlrcnn {

// The sizes of one picture as an op's last, optional input, float32 [8]: a plan made for their padded size
// then serves all pictures of it. Where present it stands for the settings of the same meaning.
struct Geometry {
  float height, width;                  // of the picture
  float resized_height, resized_width;  // before padding
  float scale_x, scale_y;               // from resized to the picture's pixels
  float unused[2];
};

// A size as geometry gives it, in whole pixels; 0 for what is none within 1 … 2^32.
NLRCNN_HD inline int64_t pixels_of(float size) {
  return size >= 1 && size < 4294967296.0f ? static_cast<int64_t>(size) : 0;
}

inline Status check_geometry(const OpCall& call, size_t input) {
  return call.has(input) ? check_shape(call, input, "geometry", {8}) : Status{};
}

}  // namespace nlrcnn
