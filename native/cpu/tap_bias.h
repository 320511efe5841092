#pragma once
#include "cpu/onednn.h"

namespace nlrcnn::cpu {

// weight [O, D, 9] as [9, O, D]: one row for each tap and output; kept on `storage`.
inline Result<std::shared_ptr<Storage>> packed_taps(Storage* storage, const float* weight, int64_t channels,
                                                    int64_t inner) {
  return derived_weight({storage}, "taps", 9 * channels * inner * sizeof(float), [&](float* to) {
    for (int64_t o = 0; o < channels; ++o)
      for (int64_t d = 0; d < inner; ++d)
        for (int64_t t = 0; t < 9; ++t) to[(t * channels + o) * inner + d] = weight[(o * inner + d) * 9 + t];
    return Status{};
  });
}

}  // namespace nlrcnn::cpu
