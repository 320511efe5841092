#include "ops/roi_align.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

using roi_align::Sample;

constexpr int kLevels = 8;

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
  int64_t grid, low, high;

  NLRCNN_HD Sample sample(int64_t i, int size) const {
    return roi_align::sample_at(from + (static_cast<float>(i) + 0.5f) * bin / static_cast<float>(grid), size);
  }
};

NLRCNN_HD inline BinAxis bin_axis(float start, float extent, int32_t bins, int32_t ratio, int64_t index,
                                  int size) {
  BinAxis axis;
  axis.bin = extent / static_cast<float>(bins);
  const float wanted = ratio > 0 ? static_cast<float>(ratio) : ceilf(axis.bin);
  axis.grid = wanted >= 1 && wanted < 1e9f ? static_cast<int64_t>(wanted) : 0;
  axis.from = start + static_cast<float>(index) * axis.bin;
  axis.low = 0;
  axis.high = axis.grid;
  if (axis.grid > 64) {  // a huge RoI: only the samples that can fall into the map
    const float step = axis.bin / static_cast<float>(axis.grid);
    const double first = (-2.0 - axis.from) / step - 2, last = (size + 1.0 - axis.from) / step + 2;
    axis.low = first > 0 ? static_cast<int64_t>(first < axis.grid ? first : axis.grid) : 0;
    axis.high = last < axis.grid ? static_cast<int64_t>(last > axis.low ? last : axis.low) : axis.grid;
  }
  return axis;
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

// One warp for each bin: its lanes hold 16 bytes of channels each, so that a sample's four neighbours are
// four coalesced reads.
template <class T>
NLRCNN_KERNEL void align(Span<const float> rois, Span<const int32_t> count, Span<T> out, Faults faults,
                         int64_t rows, Pyramid p) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t bin = global_index() / 32, bins = int64_t{p.bins[0]} * p.bins[1], k = bin / bins;
  const int lane = thread_index() % 32;
  if (k >= rows_of(count, rows)) return;
  const int64_t at = k * p.columns, xyxy = at + p.columns - 4;
  const float image = p.columns == 5 ? rois[at] : 0.0f;
  if (!(image >= 0 && image < static_cast<float>(p.images))) {
    if (lane == 0) report(faults, Fault::image_index, static_cast<int32_t>(k));
    return;
  }
  const Box box{rois[xyxy], rois[xyxy + 1], rois[xyxy + 2], rois[xyxy + 3]};
  const Placed roi = place_roi(box, static_cast<int64_t>(image), p);
  const Level& level = p.levels[roi.level];
  const BinAxis ys = bin_axis(roi.y, roi.height, p.bins[0], p.ratio, bin % bins / p.bins[1], level.height),
                xs = bin_axis(roi.x, roi.width, p.bins[1], p.ratio, bin % p.bins[1], level.width);
  const float most = static_cast<float>(ys.grid * xs.grid), mean = 1.0f / (most > 1 ? most : 1.0f);
  const int64_t plane = int64_t{level.height} * level.width * p.channels, first = roi.image * plane;
  const Span<const T> map(static_cast<const T*>(level.data), static_cast<size_t>(p.images * plane));

  for (int64_t c = lane * kSize; c < p.channels; c += 32 * kSize) {
    float sum[kSize] = {};
    for (int64_t iy = ys.low; iy < ys.high; ++iy) {
      const Sample y = ys.sample(iy, level.height);
      if (y.low_weight == 0 && y.high_weight == 0) continue;
      const int64_t above = first + int64_t{y.low} * level.width * p.channels + c,
                    below = first + int64_t{y.high} * level.width * p.channels + c;
      for (int64_t ix = xs.low; ix < xs.high; ++ix) {
        const Sample x = xs.sample(ix, level.width);
        if (x.low_weight == 0 && x.high_weight == 0) continue;
        const int64_t left = x.low * p.channels, right = x.high * p.channels;
        const Pack<T> a = load_pack(map, above + left), b = load_pack(map, above + right),
                      d = load_pack(map, below + left), e = load_pack(map, below + right);
        for (int i = 0; i < kSize; ++i)
          sum[i] +=
              y.low_weight * (x.low_weight * to_float(a.values[i]) + x.high_weight * to_float(b.values[i])) +
              y.high_weight * (x.low_weight * to_float(d.values[i]) + x.high_weight * to_float(e.values[i]));
      }
    }
    Pack<T> pack;
    for (int i = 0; i < kSize; ++i) pack.values[i] = from_float<T>(sum[i] * mean);
    store_pack(out, bin * p.channels + c, pack);
  }
}

class RoiAlign : public Kernel {
 public:
  explicit RoiAlign(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), dtype_(call.target.compute) {}

  Status init() {
    roi_align::Settings s;
    if (Status status = roi_align::read_settings(call_, &s); !status.ok()) return status;
    const size_t levels = call_.in.size() - 2;
    if (levels > kLevels)
      return Status::error(Code::unsupported, "Expected at most " + std::to_string(kLevels) +
                                                  " levels for roi_align on CUDA but received " +
                                                  std::to_string(levels));
    pyramid_.count = static_cast<int32_t>(levels);
    for (size_t i = 0; i < levels; ++i) {
      const Shape& map = call_.in[2 + i].shape;
      pyramid_.levels[i] = {nullptr, static_cast<int32_t>(map[2]), static_cast<int32_t>(map[3]), s.scales[i]};
    }
    pyramid_.images = static_cast<int32_t>(call_.in[2].shape[0]);
    pyramid_.channels = padded(call_.in[2].shape[1]);
    for (int i = 0; i < 2; ++i) pyramid_.bins[i] = static_cast<int32_t>(s.output[i]);
    pyramid_.ratio = static_cast<int32_t>(s.sampling_ratio);
    pyramid_.aligned = s.aligned;
    pyramid_.canonical_scale = static_cast<float>(s.canonical_scale);
    pyramid_.canonical_level = static_cast<float>(s.canonical_level);
    pyramid_.first = -std::log2(s.scales[0]);
    pyramid_.columns = static_cast<int32_t>(call_.in[0].shape[1]);
    return {};
  }

  Status run(RunContext& context) override {
    Pyramid p = pyramid_;
    for (int i = 0; i < p.count; ++i) p.levels[i].data = context.in[2 + i].data;
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "roi_align", grid_of(rows_ * p.bins[0] * p.bins[1] * 32), kThreads,
                    align<T>, span<const float>(context.in[0]), span<const int32_t>(context.in[1]),
                    span<T>(context.out[0]), faults(context), rows_, p);
    });
  }

 private:
  OpCall call_;
  int64_t rows_;
  DType dtype_;
  Pyramid pyramid_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_roi_align(const OpCall& call, Stream&) {
  return made(std::make_unique<RoiAlign>(call));
}

}  // namespace nlrcnn::cuda
