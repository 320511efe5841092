#include "cpu/paste.h"

#include <cmath>

namespace nlrcnn::cpu {
namespace {

// .to(torch.int64), with what no picture reaches cut off.
int64_t whole(float v) {
  return static_cast<int64_t>(std::clamp(v == v ? v : 0.0f, -1e9f, 1e9f));
}

struct Sample {
  int64_t low;
  float weight;
};

// torch's bilinear interpolate without align_corners, float32.
Sample sample(int64_t at, int64_t out, int64_t in) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const float from = std::max(scale * (static_cast<float>(at) + 0.5f) - 0.5f, 0.0f);
  const int64_t low = std::min(static_cast<int64_t>(from), in - 1);
  return {low, std::clamp(from - static_cast<float>(low), 0.0f, 1.0f)};
}

}  // namespace

MaskColumns::MaskColumns(const float* probs, int64_t side, const Box& box, int64_t height, int64_t width,
                         float threshold)
    : side_(side + 2), threshold_(threshold) {
  // expand_masks: one pixel of zeros around, and the box in proportion.
  mask_.assign(side_ * side_, 0.0f);
  for (int64_t r = 0; r < side; ++r) std::copy_n(probs + r * side, side, mask_.begin() + (r + 1) * side_ + 1);
  const float scale = static_cast<float>(static_cast<double>(side_) / static_cast<double>(side));
  const float half_w = (box.x2 - box.x1) * 0.5f * scale, half_h = (box.y2 - box.y1) * 0.5f * scale;
  const float x = (box.x2 + box.x1) * 0.5f, y = (box.y2 + box.y1) * 0.5f;
  const int64_t top = whole(y - half_h), bottom = whole(y + half_h), right = whole(x + half_w);
  left_ = whole(x - half_w);
  box_width_ = std::max<int64_t>(right - left_ + 1, 1);
  const int64_t box_height = std::max<int64_t>(bottom - top + 1, 1);
  x0_ = std::max<int64_t>(left_, 0);
  x1_ = std::max(x0_, std::min(left_ + box_width_, width));
  y0_ = std::max<int64_t>(top, 0);
  for (int64_t row = y0_; row < std::min(top + box_height, height); ++row) {
    const Sample s = sample(row - top, box_height, side_);
    if (spans_.empty() || spans_.back().low != s.low) spans_.push_back({s.low, row, row});
    ++spans_.back().to;
    weight_.push_back(s.weight);
  }
  blended_.resize(side_);
}

void MaskColumns::blend(int64_t x) {
  const Sample s = sample(x - left_, box_width_, side_);
  const int64_t high = std::min(s.low + 1, side_ - 1);
  for (int64_t r = 0; r < side_; ++r)
    blended_[r] = (1 - s.weight) * mask_[r * side_ + s.low] + s.weight * mask_[r * side_ + high];
}

}  // namespace nlrcnn::cpu
