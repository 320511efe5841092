#pragma once
#include "ops/roi_align.h"

#include <algorithm>
#include <cmath>

// Where the samples of a RoI lie, for roi_align and its gradient.
namespace nlrcnn::cpu {

using roi_align::Sample;

// The samples of one axis of a RoI, those of bin b at [first[b], first[b + 1]); samples outside the map are
// left out.
struct Axis {
  std::vector<Sample> samples;
  std::vector<int> first;
  int64_t grid = 0;  // samples per bin, with those outside

  void fill(float start, float extent, int64_t bins, int64_t ratio, int size) {
    samples.clear();
    first.assign(1, 0);
    const float bin = extent / static_cast<float>(bins);
    const float wanted = ratio > 0 ? static_cast<float>(ratio) : std::ceil(bin);
    grid = wanted >= 1 && wanted < 1e9f ? static_cast<int64_t>(wanted) : 0;
    for (int64_t b = 0; b < bins; ++b) {
      const float from = start + static_cast<float>(b) * bin, step = bin / static_cast<float>(grid);
      int64_t low = 0, high = grid;
      if (grid > 64 && step > 0) {  // a huge RoI: only the samples that can fall into the map
        const double most = static_cast<double>(grid);
        low = static_cast<int64_t>(std::clamp((-2.0 - from) / step - 2, 0.0, most));
        high =
            static_cast<int64_t>(std::clamp((size + 1.0 - from) / step + 2, static_cast<double>(low), most));
      }
      for (int64_t i = low; i < high; ++i) {
        const Sample sample = roi_align::sample_at(
            from + (static_cast<float>(i) + 0.5f) * bin / static_cast<float>(grid), size);
        if (sample.low_weight != 0 || sample.high_weight != 0) samples.push_back(sample);
      }
      first.push_back(static_cast<int>(samples.size()));
    }
  }
};

struct Prepared {
  int level;
  int64_t image;
  Axis ys, xs;
  float mean;

  // roi: 4 or 5 values, as many as `columns`; levels [N, C, h, w].
  void fill(const float* roi, int64_t columns, const roi_align::Settings& s,
            const std::vector<Shape>& levels) {
    const float* xyxy = roi + columns - 4;
    const Box box{xyxy[0], xyxy[1], xyxy[2], xyxy[3]};
    image = columns == 5 ? static_cast<int64_t>(roi[0]) : 0;
    const int count = static_cast<int>(s.scales.size());
    level = count == 1
                ? 0
                : roi_align::level_of(box, static_cast<float>(s.canonical_scale),
                                      static_cast<float>(s.canonical_level), -std::log2(s.scales[0]), count);
    const Shape& map = levels[level];
    const float scale = s.scales[level], offset = s.aligned ? 0.5f : 0.0f;
    const float x = box.x1 * scale - offset, y = box.y1 * scale - offset;
    float width = box.x2 * scale - offset - x, height = box.y2 * scale - offset - y;
    if (!s.aligned) {
      width = std::max(width, 1.0f);
      height = std::max(height, 1.0f);
    }
    ys.fill(y, height, s.output[0], s.sampling_ratio, static_cast<int>(map[2]));
    xs.fill(x, width, s.output[1], s.sampling_ratio, static_cast<int>(map[3]));
    mean = 1.0f / static_cast<float>(std::max<int64_t>(ys.grid * xs.grid, 1));
  }
};

inline Status check_images(const float* rois, int64_t rows, int64_t columns, int64_t images) {
  if (columns == 5)
    for (int64_t k = 0; k < rows; ++k)
      if (!(rois[5 * k] >= 0 && rois[5 * k] < images))
        return Status::error(Code::argument, "Expected rois whose image index is below " +
                                                 std::to_string(images) + " but received " +
                                                 std::to_string(rois[5 * k]) + " at row " +
                                                 std::to_string(k));
  return {};
}

}  // namespace nlrcnn::cpu
