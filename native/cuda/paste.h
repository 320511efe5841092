#pragma once
#include "cuda/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cuda {

// torchvision's paste_mask_in_image for one mask: which pixels of the picture it covers.
struct PastedMask {
  int64_t side;  // with one pixel of zeros around
  int64_t left, top, box_width, box_height;
  int64_t x0, x1, y0, y1;  // what lies in the picture, one past the last
};

// .to(torch.int64), with what no picture reaches cut off.
NLRCNN_HD inline int64_t whole(float v) {
  const float known = v == v ? v : 0.0f;
  return static_cast<int64_t>(known < -1e9f ? -1e9f : known > 1e9f ? 1e9f : known);
}

NLRCNN_HD inline PastedMask paste_box(const Box& box, int64_t side, int64_t height, int64_t width) {
  PastedMask m;
  m.side = side + 2;
  const float scale = static_cast<float>(static_cast<double>(m.side) / static_cast<double>(side));
  const float half_w = (box.x2 - box.x1) * 0.5f * scale, half_h = (box.y2 - box.y1) * 0.5f * scale;
  const float x = (box.x2 + box.x1) * 0.5f, y = (box.y2 + box.y1) * 0.5f;
  const int64_t bottom = whole(y + half_h), right = whole(x + half_w);
  m.left = whole(x - half_w);
  m.top = whole(y - half_h);
  m.box_width = right - m.left + 1 > 1 ? right - m.left + 1 : 1;
  m.box_height = bottom - m.top + 1 > 1 ? bottom - m.top + 1 : 1;
  m.x0 = m.left > 0 ? m.left : 0;
  m.y0 = m.top > 0 ? m.top : 0;
  m.x1 = m.left + m.box_width < width ? m.left + m.box_width : width;
  m.y1 = m.top + m.box_height < height ? m.top + m.box_height : height;
  if (m.x1 < m.x0) m.x1 = m.x0;
  if (m.y1 < m.y0) m.y1 = m.y0;
  return m;
}

struct PasteSample {
  int64_t low, high;
  float weight;
};

// torch's bilinear interpolate without align_corners, float32.
NLRCNN_HD inline PasteSample paste_sample(int64_t at, int64_t out, int64_t in) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  float from = scale * (static_cast<float>(at) + 0.5f) - 0.5f;
  from = from > 0 ? from : 0.0f;
  const int64_t low = static_cast<int64_t>(from) < in - 1 ? static_cast<int64_t>(from) : in - 1;
  const float rest = from - static_cast<float>(low);
  return {low, low + 1 < in ? low + 1 : in - 1, rest < 0 ? 0.0f : rest > 1 ? 1.0f : rest};
}

// The mask's value at a row and column of the padded mask.
NLRCNN_DEVICE float mask_at(Span<const float> probs, int64_t first, int64_t side, int64_t row,
                            int64_t column) {
  if (row < 1 || column < 1 || row > side - 2 || column > side - 2) return 0;
  return probs[first + (row - 1) * (side - 2) + column - 1];
}

// Between two columns, at one row of the padded mask.
NLRCNN_DEVICE float blended(Span<const float> probs, int64_t first, int64_t side, int64_t row,
                            const PasteSample& x) {
  return (1 - x.weight) * mask_at(probs, first, side, row, x.low) +
         x.weight * mask_at(probs, first, side, row, x.high);
}

}  // namespace nlrcnn::cuda
