#include "ops/mask_targets.h"

#include "cuda/roi_align.h"

namespace nlrcnn::cuda {
namespace {

using mask_targets::Window;

NLRCNN_DEVICE float pixel_at(Span<const uint8_t> bitmaps, const Window& w, int y, int x) {
  const int row = mask_targets::source_of(y, w.picture_height, w.resized_height) - w.y,
            column = mask_targets::source_of(x, w.picture_width, w.resized_width) - w.x;
  if (row < 0 || row >= w.height || column < 0 || column >= w.width) return 0;
  return static_cast<float>(bitmaps[w.offset + int64_t{row} * w.width + column]);
}

// One thread for each bin.
NLRCNN_KERNEL void project(Span<const uint8_t> bitmaps, Span<const Window> windows, Span<const float> rois,
                           Span<float> out, Faults faults, int64_t bytes, int64_t objects, int64_t rows,
                           int32_t size) {
  const int64_t i = global_index(), bins = int64_t{size} * size;
  if (i >= rows * bins) return;
  const int64_t k = i / bins, object = static_cast<int64_t>(rois[5 * k]);
  if (object < 0 || object >= objects || !mask_targets::fits(windows[object], bytes)) {
    report(faults, Fault::image_index, static_cast<int32_t>(k));
    out[i] = 0;
    return;
  }
  const Window window = windows[object];
  const float x = rois[5 * k + 1], y = rois[5 * k + 2];
  const float width = rois[5 * k + 3] - x, height = rois[5 * k + 4] - y;
  const BinAxis ys = bin_axis(y, height > 1 ? height : 1.0f, size, 0, static_cast<int32_t>(i % bins / size),
                              window.resized_height);
  const BinAxis xs = bin_axis(x, width > 1 ? width : 1.0f, size, 0, i % size, window.resized_width);
  float sum = 0;
  for (int32_t iy = ys.low; iy < ys.high; ++iy) {
    const Sample sy = ys.sample(iy, window.resized_height);
    if (sy.low_weight == 0 && sy.high_weight == 0) continue;
    for (int32_t ix = xs.low; ix < xs.high; ++ix) {
      const Sample sx = xs.sample(ix, window.resized_width);
      sum += sy.low_weight * (sx.low_weight * pixel_at(bitmaps, window, sy.low, sx.low) +
                              sx.high_weight * pixel_at(bitmaps, window, sy.low, sx.high)) +
             sy.high_weight * (sx.low_weight * pixel_at(bitmaps, window, sy.high, sx.low) +
                               sx.high_weight * pixel_at(bitmaps, window, sy.high, sx.high));
    }
  }
  out[i] = sum / samples_of(ys, xs);
}

class MaskTargets : public Kernel {
 public:
  explicit MaskTargets(const OpCall& call)
      : bytes_(call.in[0].shape[0]),
        objects_(call.in[1].shape[0]),
        rows_(call.in[2].shape[0]),
        size_(call.out[0].shape[1]) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const int64_t all = rows_ * size_ * size_;
    if (all == 0) return {};
    return launch(stream_of(context), "mask_targets", grid_of(all), kThreads, project,
                  span<const uint8_t>(context.in[0]), span<const Window>(context.in[1].data, objects_),
                  span<const float>(context.in[2]), span<float>(context.out[0]), faults(context), bytes_,
                  objects_, rows_, static_cast<int32_t>(size_));
  }

 private:
  int64_t bytes_, objects_, rows_, size_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_targets(const OpCall& call, Stream&) {
  return made(std::make_unique<MaskTargets>(call));
}

}  // namespace nlrcnn::cuda
