#include "ops/roi_align.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

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
      if (grid > 64) {  // a huge RoI: only the samples that can fall into the map
        low = std::clamp<int64_t>(static_cast<int64_t>((-2.0 - from) / step) - 2, 0, grid);
        high = std::clamp<int64_t>(static_cast<int64_t>((size + 1.0 - from) / step) + 2, low, grid);
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

template <int B>
NLRCNN_INLINE const LanesOf<B>& load(const float* row, int column) {
  return *reinterpret_cast<const LanesOf<B>*>(row + column * B);
}

template <int B>
NLRCNN_INLINE void pool(const float* plane, int64_t width, const Axis& ys, const Axis& xs, float scale,
                        float* out) {
  using V = LanesOf<B>;
  for (size_t py = 0; py + 1 < ys.first.size(); ++py)
    for (size_t px = 0; px + 1 < xs.first.size(); ++px, out += B) {
      V sum{};
      for (int iy = ys.first[py]; iy < ys.first[py + 1]; ++iy) {
        const Sample& y = ys.samples[iy];
        const float *low = plane + y.low * width * B, *high = plane + y.high * width * B;
        for (int ix = xs.first[px]; ix < xs.first[px + 1]; ++ix) {
          const Sample& x = xs.samples[ix];
          const V above = x.low_weight * load<B>(low, x.low) + x.high_weight * load<B>(low, x.high);
          const V below = x.low_weight * load<B>(high, x.low) + x.high_weight * load<B>(high, x.high);
          sum += y.low_weight * above + y.high_weight * below;
        }
      }
      *reinterpret_cast<V*>(out) = sum * scale;
    }
}

NLRCNN_MULTIVERSION void pool_block(const float* plane, int64_t width, const Axis& ys, const Axis& xs,
                                    float scale, int block, float* out) {
  block == 16 ? pool<16>(plane, width, ys, xs, scale, out) : pool<8>(plane, width, ys, xs, scale, out);
}

// RoIs whose samples are held at once.
constexpr int64_t kPass = 4096;

struct Prepared {
  int level;
  int64_t image;
  Axis ys, xs;
  float mean;
};

class RoiAlign : public Kernel {
 public:
  RoiAlign(const OpCall& call, int block) : call_(call), block_(block) {
    roi_align::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const Shape& rois_shape = call_.in[0].shape;
    const int64_t rows = valid_rows(context.in[1], rois_shape[0]), columns = rois_shape[1];
    const float* rois = context.in[0].as<float>();
    const int64_t images = call_.in[2].shape[0];
    if (columns == 5)
      for (int64_t k = 0; k < rows; ++k)
        if (!(rois[5 * k] >= 0 && rois[5 * k] < images))
          return Status::error(Code::argument, "Expected rois whose image index is below " +
                                                   std::to_string(images) + " but received " +
                                                   std::to_string(rois[5 * k]) + " at row " +
                                                   std::to_string(k));
    std::vector<Prepared> prepared(std::min(rows, kPass));
    const int64_t blocks = (call_.in[2].shape[1] + block_ - 1) / block_;
    for (int64_t first = 0; first < rows; first += kPass) {
      const int64_t count = std::min(kPass, rows - first);
#pragma omp parallel
      {
#pragma omp for
        for (int64_t k = 0; k < count; ++k) {
          const float* roi = rois + (first + k) * columns;
          const float* xyxy = roi + columns - 4;
          prepare({xyxy[0], xyxy[1], xyxy[2], xyxy[3]}, &prepared[k]);
          prepared[k].image = columns == 5 ? static_cast<int64_t>(roi[0]) : 0;
        }
        // One block of channels of all maps fits into the caches, where the RoIs then find it again and
        // again.
#pragma omp for schedule(dynamic, 32)
        for (int64_t i = 0; i < blocks * count; ++i)
          align(context, prepared[i % count], i / count, blocks, first + i % count);
      }
    }
    return {};
  }

 private:
  void prepare(const Box& box, Prepared* out) const {
    const auto& s = settings_;
    const int levels = static_cast<int>(s.scales.size());
    out->level = levels == 1 ? 0
                             : roi_align::level_of(box, static_cast<float>(s.canonical_scale),
                                                   static_cast<float>(s.canonical_level),
                                                   -std::log2(s.scales[0]), levels);
    const Shape& map = call_.in[2 + out->level].shape;
    const float scale = s.scales[out->level], offset = s.aligned ? 0.5f : 0.0f;
    const float x = box.x1 * scale - offset, y = box.y1 * scale - offset;
    float width = box.x2 * scale - offset - x, height = box.y2 * scale - offset - y;
    if (!s.aligned) {
      width = std::max(width, 1.0f);
      height = std::max(height, 1.0f);
    }
    out->ys.fill(y, height, s.output[0], s.sampling_ratio, static_cast<int>(map[2]));
    out->xs.fill(x, width, s.output[1], s.sampling_ratio, static_cast<int>(map[3]));
    out->mean = 1.0f / static_cast<float>(std::max<int64_t>(out->ys.grid * out->xs.grid, 1));
  }

  void align(const RunContext& context, const Prepared& roi, int64_t block, int64_t blocks, int64_t k) const {
    const Shape& map = call_.in[2 + roi.level].shape;
    const int64_t plane = map[2] * map[3] * block_, bins = settings_.output[0] * settings_.output[1] * block_;
    const float* from = context.in[2 + roi.level].as<float>() + (roi.image * blocks + block) * plane;
    pool_block(from, map[3], roi.ys, roi.xs, roi.mean, block_,
               context.out[0].as<float>() + (k * blocks + block) * bins);
  }

  OpCall call_;
  int block_;
  roi_align::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_roi_align(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new RoiAlign(call, block));
}

}  // namespace nlrcnn::cpu
