#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/boxes.h"

namespace nlrcnn::cpu {

// torchvision's paste_mask_in_image, thresholded, column by column: which rows of the picture the mask
// covers.
class MaskColumns {
 public:
  // probs: [side, side].
  MaskColumns(const float* probs, int64_t side, const Box& box, int64_t height, int64_t width,
              float threshold);

  int64_t first() const { return x0_; }
  int64_t last() const { return x1_; }  // one past

  // Calls run(from, to) for each run of covered rows in column x, by rising row.
  template <class Run>
  void column(int64_t x, Run run) {
    blend(x);
    for (size_t j = 0; j < spans_.size(); ++j) {
      const auto [low, from, to] = spans_[j];
      const float above = blended_[low], below = blended_[std::min<size_t>(low + 1, blended_.size() - 1)];
      if (above > threshold_ && below > threshold_)
        run(from, to);
      else if (above > threshold_ || below > threshold_)
        for (int64_t y = from; y < to; ++y)
          if ((1 - weight_[y - y0_]) * above + weight_[y - y0_] * below > threshold_) run(y, y + 1);
    }
  }

 private:
  // Rows [from, to) lie between rows `low` and `low + 1` of the mask.
  struct Span {
    int64_t low, from, to;
  };
  void blend(int64_t x);

  std::vector<float> mask_, blended_, weight_;
  std::vector<Span> spans_;
  int64_t side_, left_, box_width_, x0_ = 0, x1_ = 0, y0_ = 0;
  float threshold_;
};

}  // namespace nlrcnn::cpu
