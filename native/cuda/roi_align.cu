#include "cuda/roi_align.h"

namespace nlrcnn::cuda {
namespace {

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
    std::vector<Shape> levels;
    for (size_t i = 2; i < call_.in.size(); ++i) levels.push_back(call_.in[i].shape);
    return make_pyramid(call_, levels, call_.in[0].shape[1], &pyramid_);
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
