#pragma once
#include "cuda/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cuda {

// Non-maximum suppression of several lists at once, each sorted by falling score and in one piece of `boxes`.
// Bit j of row i of the mask says that box i suppresses box j of its list; then each list is walked.
struct Suppression {
  Span<const Box> boxes;
  // Of list l the boxes [range[2 l], range[2 l + 1]).
  Span<const int32_t> ranges;
  int64_t lists = 0;
  int64_t longest = 0;            // most boxes of a list
  Span<const int32_t> groups;     // where present, boxes of different groups never suppress each other
  Span<const uint8_t> candidate;  // where present, 0 marks what takes no part
  Span<uint64_t> mask;            // as many rows as boxes, mask_words() each
  Span<uint8_t> keep;             // the outcome: 1 for what stays
  double threshold = 0;

  int64_t words() const { return ceil_div(longest, 64); }
  static size_t mask_bytes(int64_t boxes, int64_t longest) {
    return boxes * ceil_div(longest, 64) * sizeof(uint64_t);
  }
};

// Most boxes of a list.
inline constexpr int64_t kLongestList = 1 << 17;

Status suppress(Stream& stream, const Suppression& s);

}  // namespace nlrcnn::cuda
