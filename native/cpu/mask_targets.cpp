#include "ops/mask_targets.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/roi_align.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

using mask_targets::Window;

// RoIAlign's samples of an axis gathered by pixel: the mean over a bin's samples is separable, so that each
// pixel is read once, however many samples touch it.
struct PixelWeights {
  struct Bin {
    int first = 0;
    std::vector<float> weights;
  };
  std::vector<Bin> bins;
  int low = 0, high = -1;  // pixels that any bin reads

  PixelWeights(float start, float extent, int64_t size, int pixels) : bins(size) {
    Axis axis;
    axis.fill(start, std::max(extent, 1.0f), size, 0, pixels);
    for (int64_t b = 0; b < size; ++b) {
      const int from = axis.first[b], to = axis.first[b + 1];
      if (from == to) continue;
      const int first = axis.samples[from].low, last = axis.samples[to - 1].high;
      bins[b].first = first;
      bins[b].weights.assign(last - first + 1, 0.0f);
      for (int i = from; i < to; ++i) {
        const Sample& s = axis.samples[i];
        bins[b].weights[s.low - first] += s.low_weight;
        bins[b].weights[s.high - first] += s.high_weight;
      }
      for (float& w : bins[b].weights) w /= static_cast<float>(std::max<int64_t>(axis.grid, 1));
      low = high < low ? first : std::min(low, first);
      high = std::max(high, last);
    }
  }
};

NLRCNN_MULTIVERSION float dot(const float* a, const float* b, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

class MaskTargets : public Kernel {
 public:
  explicit MaskTargets(const OpCall& call)
      : bytes_(call.in[0].shape[0]),
        objects_(call.in[1].shape[0]),
        rows_(call.in[2].shape[0]),
        size_(call.out[0].shape[1]) {}

  Status run(RunContext& context) override {
    const auto* windows = context.in[1].as<Window>();
    const float* rois = context.in[2].as<float>();
    for (int64_t k = 0; k < rows_; ++k)
      if (!(rois[5 * k] >= 0 && rois[5 * k] < static_cast<float>(objects_)))
        return Status::error(Code::argument, "Expected rois whose object is below " +
                                                 std::to_string(objects_) + " but received " +
                                                 std::to_string(rois[5 * k]) + " at row " +
                                                 std::to_string(k));
    for (int64_t g = 0; g < objects_; ++g)
      if (!mask_targets::fits(windows[g], bytes_))
        return Status::error(
            Code::argument,
            "Expected windows within the bitmaps but received another at row " + std::to_string(g));
#pragma omp parallel for schedule(dynamic)
    for (int64_t k = 0; k < rows_; ++k)
      project(context.in[0].as<uint8_t>(), windows[static_cast<int64_t>(rois[5 * k])], rois + 5 * k + 1,
              context.out[0].as<float>() + k * size_ * size_);
    return {};
  }

 private:
  void project(const uint8_t* bitmaps, const Window& window, const float* box, float* out) const {
    std::fill_n(out, size_ * size_, 0.0f);
    const PixelWeights rows(box[1], box[3] - box[1], size_, window.resized_height);
    const PixelWeights columns(box[0], box[2] - box[0], size_, window.resized_width);
    if (columns.high < columns.low) return;
    std::vector<int> sources(columns.high - columns.low + 1);
    for (size_t i = 0; i < sources.size(); ++i)
      sources[i] = mask_targets::source_of(columns.low + static_cast<int>(i), window.picture_width,
                                           window.resized_width) -
                   window.x;
    std::vector<float> pixels(sources.size()), sums(size_);
    for (int y = rows.low; y <= rows.high; ++y) {
      const int source = mask_targets::source_of(y, window.picture_height, window.resized_height) - window.y;
      if (source < 0 || source >= window.height) continue;
      const uint8_t* line = bitmaps + window.offset + int64_t{source} * window.width;
      for (size_t i = 0; i < sources.size(); ++i)
        pixels[i] =
            sources[i] >= 0 && sources[i] < window.width ? static_cast<float>(line[sources[i]]) : 0.0f;
      for (int64_t b = 0; b < size_; ++b) {
        const auto& bin = columns.bins[b];
        sums[b] = dot(bin.weights.data(), pixels.data() + (bin.first - columns.low), bin.weights.size());
      }
      for (int64_t b = 0; b < size_; ++b) {
        const int at = y - rows.bins[b].first;
        if (at < 0 || at >= static_cast<int>(rows.bins[b].weights.size())) continue;
        const float weight = rows.bins[b].weights[at];
        for (int64_t x = 0; x < size_; ++x) out[b * size_ + x] += weight * sums[x];
      }
    }
  }

  int64_t bytes_, objects_, rows_, size_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_targets(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new MaskTargets(call));
}

}  // namespace nlrcnn::cpu
