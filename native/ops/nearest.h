#pragma once
#include <cstdint>

#include "core/hd.h"

namespace nlrcnn {

// torch's nearest: the source of place `at`, in float32.
NLRCNN_HD inline int64_t nearest_source(int64_t at, float scale, int64_t size) {
  const int64_t from = static_cast<int64_t>(static_cast<float>(at) * scale);
  return from < size ? from : size - 1;
}

// The first of `places` whose source is at least `source`; `places` where there is none.
NLRCNN_HD inline int64_t first_place(int64_t source, float scale, int64_t size, int64_t places) {
  int64_t low = 0, high = places;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (nearest_source(middle, scale, size) < source)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace nlrcnn
