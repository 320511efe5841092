#include "cuda/roi_align.h"

namespace nlrcnn::cuda {
namespace {

// One warp for each bin: its lanes hold 16 bytes of channels each, so that a sample's four neighbours are
// four coalesced reads; of float32 two such packs, so that one pass over the samples does 256 channels.
template <class T>
NLRCNN_KERNEL void align(Span<const float> rois, Span<const int32_t> count, Span<T> out, Faults faults,
                         int64_t rows, Pyramid p) {
  constexpr int kSize = Pack<T>::kSize, kPacks = sizeof(T) / 2, kStep = 32 * kSize;
  const auto bin = static_cast<uint32_t>(global_index() / 32), across = static_cast<uint32_t>(p.bins[1]),
             bins = static_cast<uint32_t>(p.bins[0]) * across, k = bin / bins, own = bin % bins;
  const int lane = thread_index() % 32;
  if (k >= rows_of(count, rows)) return;
  const int64_t at = int64_t{k} * p.columns, xyxy = at + p.columns - 4;
  const float image = p.columns == 5 ? rois[at] : 0.0f;
  if (!(image >= 0 && image < static_cast<float>(p.images))) {
    if (lane == 0) report(faults, Fault::image_index, static_cast<int32_t>(k));
    return;
  }
  const Box box{rois[xyxy], rois[xyxy + 1], rois[xyxy + 2], rois[xyxy + 3]};
  const Placed roi = place_roi(box, static_cast<int64_t>(image), p);
  const Level& level = p.levels[roi.level];
  const auto oy = static_cast<int32_t>(own / across), ox = static_cast<int32_t>(own % across);
  const BinAxis ys = bin_axis(roi.y, roi.height, p.bins[0], p.ratio, oy, level.height),
                xs = bin_axis(roi.x, roi.width, p.bins[1], p.ratio, ox, level.width);
  const float mean = 1.0f / samples_of(ys, xs);
  // Within an image's map, which make_pyramid keeps below 2^31 elements.
  const auto channels = static_cast<int32_t>(p.channels);
  const int32_t line = level.width * channels;
  const int64_t plane = int64_t{level.height} * line, first = roi.image * plane;
  const Span<const T> map(static_cast<const T*>(level.data), static_cast<size_t>(p.images * plane));

  for (int32_t c = lane * kSize; c < channels; c += kPacks * kStep) {
    float sum[kPacks][kSize] = {};
    for (int32_t iy = ys.low; iy < ys.high; ++iy) {
      const Sample y = ys.sample(iy, level.height);
      if (y.low_weight == 0 && y.high_weight == 0) continue;
      const int32_t above = y.low * line + c, below = y.high * line + c;
      for (int32_t ix = xs.low; ix < xs.high; ++ix) {
        const Sample x = xs.sample(ix, level.width);
        if (x.low_weight == 0 && x.high_weight == 0) continue;
        const int32_t left = x.low * channels, right = x.high * channels;
        for (int q = 0; q < kPacks; ++q) {
          if (c + q * kStep >= channels) break;
          const int64_t from = first + q * kStep;
          const Pack<T> a = load_pack(map, from + (above + left)), b = load_pack(map, from + (above + right)),
                        d = load_pack(map, from + (below + left)), e = load_pack(map, from + (below + right));
          for (int i = 0; i < kSize; ++i)
            sum[q][i] += y.low_weight *
                             (x.low_weight * to_float(a.values[i]) + x.high_weight * to_float(b.values[i])) +
                         y.high_weight *
                             (x.low_weight * to_float(d.values[i]) + x.high_weight * to_float(e.values[i]));
        }
      }
    }
    for (int q = 0; q < kPacks; ++q) {
      if (c + q * kStep >= channels) break;
      Pack<T> pack;
      for (int i = 0; i < kSize; ++i) pack.values[i] = from_float<T>(sum[q][i] * mean);
      store_pack(out, int64_t{bin} * channels + c + q * kStep, pack);
    }
  }
}

class RoiAlign : public Kernel {
 public:
  explicit RoiAlign(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), dtype_(call.target.compute) {}

  Status init() {
    std::vector<Shape> levels;
    for (size_t i = 2; i < call_.in.size(); ++i) levels.push_back(call_.in[i].shape);
    if (Status s = make_pyramid(call_, levels, call_.in[0].shape[1], &pyramid_); !s.ok()) return s;
    if (rows_ * pyramid_.bins[0] * pyramid_.bins[1] > INT32_MAX)
      return Status::error(Code::unsupported, "Expected fewer than 2^31 bins for roi_align on CUDA");
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
