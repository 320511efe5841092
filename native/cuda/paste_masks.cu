#include "ops/paste_masks.h"

#include "cuda/paste.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void paste(Span<const float> probs, Span<const Box> boxes, Span<const int32_t> count,
                         Span<uint8_t> out, int64_t rows, int64_t side, int64_t height, int64_t width,
                         float threshold) {
  const int64_t i = global_index();
  if (i >= rows * height * width) return;
  const int64_t k = i / (height * width), y = i / width % height, x = i % width;
  uint8_t covered = 0;
  if (k < rows_of(count, rows)) {
    const PastedMask m = paste_box(boxes[k], side, height, width);
    if (x >= m.x0 && x < m.x1 && y >= m.y0 && y < m.y1) {
      const PasteSample sx = paste_sample(x - m.left, m.box_width, m.side),
                        sy = paste_sample(y - m.top, m.box_height, m.side);
      const float above = blended(probs, k * side * side, m.side, sy.low, sx),
                  below = blended(probs, k * side * side, m.side, sy.high, sx);
      covered = (1 - sy.weight) * above + sy.weight * below > threshold;
    }
  }
  out[i] = covered;
}

class PasteMasks : public Kernel {
 public:
  explicit PasteMasks(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), side_(call.in[0].shape[1]) {}
  Status init() { return paste_masks::read_settings(call_, &settings_); }

  Status run(RunContext& context) override {
    const int64_t all = rows_ * settings_.height * settings_.width;
    return launch(stream_of(context), "paste_masks", grid_of(all), kThreads, paste,
                  span<const float>(context.in[0]), span<const Box>(context.in[1].data, rows_),
                  span<const int32_t>(context.in[2]), span<uint8_t>(context.out[0].data, all), rows_, side_,
                  settings_.height, settings_.width, static_cast<float>(settings_.threshold));
  }

 private:
  OpCall call_;
  int64_t rows_, side_;
  paste_masks::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_paste_masks(const OpCall& call, Stream&) {
  return made(std::make_unique<PasteMasks>(call));
}

}  // namespace nlrcnn::cuda
