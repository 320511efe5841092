#pragma once
#include "ops/roi_align.h"

#include "cuda/kernels.h"

// Where the samples of a RoI lie, for roi_align and its gradient.
namespace nlrcnn::cuda {

using roi_align::Sample;

inline constexpr int kLevels = 8;

struct Level {
  const void* data;
  int32_t height, width;
  float scale;
};

// What a launch needs to know of the levels and the settings.
struct Pyramid {
  Level levels[kLevels];
  int32_t count, images;
  int64_t channels;  // with padding
  int32_t bins[2], ratio;
  bool aligned;
  float canonical_scale, canonical_level, first;
  int32_t columns;  // of a RoI
};

// The samples of one bin along one axis: at `from` + (i + 0.5) · `bin` / `grid`.
struct BinAxis {
  float from, bin;
  int32_t grid, low, high;

  NLRCNN_HD Sample sample(int32_t i, int size) const {
    return roi_align::sample_at(from + (static_cast<float>(i) + 0.5f) * bin / static_cast<float>(grid), size);
  }
};

NLRCNN_HD inline BinAxis bin_axis(float start, float extent, int32_t bins, int32_t ratio, int32_t index,
                                  int size) {
  BinAxis axis;
  axis.bin = extent / static_cast<float>(bins);
  const float wanted = ratio > 0 ? static_cast<float>(ratio) : ceilf(axis.bin);
  axis.grid = wanted >= 1 && wanted < 1e9f ? static_cast<int32_t>(wanted) : 0;
  axis.from = start + static_cast<float>(index) * axis.bin;
  axis.low = 0;
  axis.high = axis.grid;
  const float step = axis.bin / static_cast<float>(axis.grid);
  if (axis.grid > 64 && step > 0) {  // a huge RoI: only the samples that can fall into the map
    const double first = (-2.0 - axis.from) / step - 2, last = (size + 1.0 - axis.from) / step + 2;
    axis.low = first > 0 ? static_cast<int32_t>(first < axis.grid ? first : axis.grid) : 0;
    axis.high = last < axis.grid ? static_cast<int32_t>(last > axis.low ? last : axis.low) : axis.grid;
  }
  return axis;
}

// What the sum of a bin's samples is divided by.
NLRCNN_HD inline float samples_of(const BinAxis& ys, const BinAxis& xs) {
  const float samples = static_cast<float>(int64_t{ys.grid} * xs.grid);
  return samples > 1 ? samples : 1.0f;
}

// A RoI on its level.
struct Placed {
  int32_t level;
  int64_t image;
  float x, y, width, height;
};

NLRCNN_HD inline Placed place_roi(const Box& box, int64_t image, const Pyramid& p) {
  Placed out;
  out.level =
      p.count == 1 ? 0 : roi_align::level_of(box, p.canonical_scale, p.canonical_level, p.first, p.count);
  const float scale = p.levels[out.level].scale, offset = p.aligned ? 0.5f : 0.0f;
  out.image = image;
  out.x = box.x1 * scale - offset;
  out.y = box.y1 * scale - offset;
  out.width = box.x2 * scale - offset - out.x;
  out.height = box.y2 * scale - offset - out.y;
  if (!p.aligned) {
    out.width = out.width > 1 ? out.width : 1.0f;
    out.height = out.height > 1 ? out.height : 1.0f;
  }
  return out;
}

inline Status make_pyramid(const OpCall& call, const std::vector<Shape>& levels, int64_t columns,
                           Pyramid* out) {
  roi_align::Settings s;
  if (Status status = roi_align::read_settings(call, levels.size(), &s); !status.ok()) return status;
  if (levels.size() > kLevels)
    return Status::error(Code::unsupported, "Expected at most " + std::to_string(kLevels) + " levels for " +
                                                call.name + " on CUDA but received " +
                                                std::to_string(levels.size()));
  out->count = static_cast<int32_t>(levels.size());
  for (const Shape& level : levels)
    if (padded(level[1]) * level[2] * level[3] > INT32_MAX)
      return Status::error(Code::unsupported, "Expected levels of " + call.name +
                                                  " with fewer than 2^31 elements for each image on CUDA");
  for (size_t i = 0; i < levels.size(); ++i)
    out->levels[i] = {nullptr, static_cast<int32_t>(levels[i][2]), static_cast<int32_t>(levels[i][3]),
                      s.scales[i]};
  out->images = static_cast<int32_t>(levels[0][0]);
  out->channels = padded(levels[0][1]);
  for (int i = 0; i < 2; ++i) out->bins[i] = static_cast<int32_t>(s.output[i]);
  out->ratio = static_cast<int32_t>(s.sampling_ratio);
  out->aligned = s.aligned;
  out->canonical_scale = static_cast<float>(s.canonical_scale);
  out->canonical_level = static_cast<float>(s.canonical_level);
  out->first = -std::log2(s.scales[0]);
  out->columns = static_cast<int32_t>(columns);
  return {};
}

}  // namespace nlrcnn::cuda
