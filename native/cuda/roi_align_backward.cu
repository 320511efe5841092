#include "ops/roi_align_backward.h"

#include "cuda/roi_align.h"

namespace nlrcnn::cuda {
namespace {

constexpr int kTile = 8;  // places of a tile along both axes: a warp each row, a thread all columns

struct Gradients {
  void* data[kLevels];
  int64_t first_tile[kLevels + 1];  // of each level, all images
};

// What one bin's samples give a place along one axis.
NLRCNN_DEVICE float weight_at(const BinAxis& axis, int64_t place, int size) {
  float sum = 0;
  for (int32_t i = axis.low; i < axis.high; ++i) {
    const Sample s = axis.sample(i, size);
    if (s.low == place) sum += s.low_weight;
    if (s.high == place) sum += s.high_weight;
  }
  return sum;
}

// Whether a RoI's samples can reach [first, first + kTile) of an axis.
NLRCNN_DEVICE bool reaches(float start, float extent, int64_t first) {
  const float end = start + extent, low = start < end ? start : end, high = start < end ? end : start;
  return high > static_cast<float>(first) - 2 && low < static_cast<float>(first + kTile) + 1;
}

// One block for each tile and 32 packs of channels. It goes over the RoIs in order, so that each place's sum
// has one order, and skips those that do not touch the tile.
template <class T>
NLRCNN_KERNEL void gather(Span<const T> grad, Span<const float> rois, Span<const int32_t> count, Gradients to,
                          Faults faults, int64_t rows, Pyramid p) {
  constexpr int kSize = Pack<T>::kSize;
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  NLRCNN_SHARED(int32_t, hits, kThreads);
  const int t = thread_index(), lane = t % 32;
  int l = 0;
  while (l + 1 < p.count && block_x() >= to.first_tile[l + 1]) ++l;
  const Level& level = p.levels[l];
  const int64_t across = (level.width + kTile - 1) / kTile, down = (level.height + kTile - 1) / kTile;
  const int64_t tile = block_x() - to.first_tile[l], image = tile / (across * down);
  const int64_t x0 = tile % across * kTile, y0 = tile / across % down * kTile, y = y0 + t / 32;
  const int64_t c = (int64_t{block_y()} * 32 + lane) * kSize;
  float acc[kTile][kSize] = {};
  const int64_t all = rows_of(count, rows);
  for (int64_t first = 0; first < all; first += kThreads) {
    const int64_t k = first + t;
    bool hit = false;
    if (k < all) {
      const float of = p.columns == 5 ? rois[k * 5] : 0.0f;
      const int64_t at = k * p.columns + p.columns - 4;
      const Box box{rois[at], rois[at + 1], rois[at + 2], rois[at + 3]};
      if (!(of >= 0 && of < static_cast<float>(p.images))) {
        if (block_x() == 0 && block_y() == 0) report(faults, Fault::image_index, static_cast<int32_t>(k));
      } else {
        const Placed roi = place_roi(box, static_cast<int64_t>(of), p);
        hit = roi.level == l && roi.image == image && reaches(roi.x, roi.width, x0) &&
              reaches(roi.y, roi.height, y0);
      }
    }
    const Scanned scanned = scan_block(sums, hit ? 1 : 0);
    if (hit) hits[scanned.before] = static_cast<int32_t>(k);
    barrier();
    for (int i = 0; i < scanned.all && y < level.height; ++i) {
      const int64_t own = hits[i], at = own * p.columns + p.columns - 4;
      const Placed roi = place_roi({rois[at], rois[at + 1], rois[at + 2], rois[at + 3]}, image, p);
      for (int py = 0; py < p.bins[0]; ++py) {
        const BinAxis ys = bin_axis(roi.y, roi.height, p.bins[0], p.ratio, py, level.height);
        const float wy = weight_at(ys, y, level.height);
        if (wy == 0) continue;
        for (int px = 0; px < p.bins[1]; ++px) {
          const BinAxis xs = bin_axis(roi.x, roi.width, p.bins[1], p.ratio, px, level.width);
          const float mean = wy / samples_of(ys, xs);
          if (!reaches(xs.from, xs.bin, x0)) continue;
          float g[kSize] = {};
          if (c < p.channels) {
            const Pack<T> pack = load_pack(grad, ((own * p.bins[0] + py) * p.bins[1] + px) * p.channels + c);
            for (int j = 0; j < kSize; ++j) g[j] = to_float(pack.values[j]) * mean;
          }
          for (int x = 0; x < kTile; ++x) {
            const float wx = weight_at(xs, x0 + x, level.width);
            if (wx == 0) continue;
            for (int j = 0; j < kSize; ++j) acc[x][j] += wx * g[j];
          }
        }
      }
    }
    barrier();
  }
  if (y >= level.height || c >= p.channels) return;
  const Span<T> out(static_cast<T*>(to.data[l]),
                    static_cast<size_t>(int64_t{p.images} * level.height * level.width * p.channels));
  for (int x = 0; x < kTile && x0 + x < level.width; ++x) {
    Pack<T> pack;
    for (int j = 0; j < kSize; ++j) pack.values[j] = from_float<T>(acc[x][j]);
    store_pack(out, ((image * level.height + y) * level.width + x0 + x) * p.channels + c, pack);
  }
}

class RoiAlignBackward : public Kernel {
 public:
  explicit RoiAlignBackward(const OpCall& call)
      : call_(call), rows_(call.in[1].shape[0]), dtype_(call.target.compute) {}

  Status init() {
    std::vector<Shape> levels;
    if (Status s = roi_align_backward::read_levels(call_, &levels); !s.ok()) return s;
    if (Status s = make_pyramid(call_, levels, call_.in[1].shape[1], &pyramid_); !s.ok()) return s;
    for (size_t i = 0; i < levels.size(); ++i)
      to_.first_tile[i + 1] =
          to_.first_tile[i] + levels[i][0] * ceil_div(levels[i][2], kTile) * ceil_div(levels[i][3], kTile);
    return {};
  }

  Status run(RunContext& context) override {
    Gradients to = to_;
    for (int i = 0; i < pyramid_.count; ++i) to.data[i] = context.out[i].data;
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      const Grid grid{static_cast<uint32_t>(to.first_tile[pyramid_.count]),
                      static_cast<uint32_t>(ceil_div(pyramid_.channels, 32 * Pack<T>::kSize))};
      return launch(stream_of(context), "roi_align_backward", grid, kThreads, gather<T>,
                    span<const T>(context.in[0]), span<const float>(context.in[1]),
                    span<const int32_t>(context.in[2]), to, faults(context), rows_, pyramid_);
    });
  }

 private:
  OpCall call_;
  int64_t rows_;
  DType dtype_;
  Pyramid pyramid_{};
  Gradients to_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_roi_align_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<RoiAlignBackward>(call));
}

}  // namespace nlrcnn::cuda
