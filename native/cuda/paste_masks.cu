#include "ops/paste_masks.h"

#include "cuda/paste.h"

namespace nlrcnn::cuda {
namespace {

constexpr int kRun = Pack<uint8_t>::kSize;

// A thread for 16 pixels that follow one another.
NLRCNN_KERNEL void paste(Span<const float> probs, Span<const Box> boxes, Span<const int32_t> count,
                         Span<uint8_t> out, int64_t rows, int64_t side, int64_t height, int64_t width,
                         float threshold) {
  const int64_t first = global_index() * kRun, all = rows * height * width;
  if (first >= all) return;
  const int64_t valid = rows_of(count, rows);
  int64_t k = first / (height * width), y = first / width % height, x = first % width;
  const auto box_at = [&] { return paste_box(k < valid ? boxes[k] : Box{0, 0, 0, 0}, side, height, width); };
  PastedMask m = box_at();
  Pack<uint8_t> run{};
  const int size = static_cast<int>(all - first < kRun ? all - first : kRun);
  for (int i = 0; i < size; ++i) {
    if (k < valid && x >= m.x0 && x < m.x1 && y >= m.y0 && y < m.y1) {
      const PasteSample sx = paste_sample(x - m.left, m.box_width, m.side),
                        sy = paste_sample(y - m.top, m.box_height, m.side);
      const float above = blended(probs, k * side * side, m.side, sy.low, sx),
                  below = blended(probs, k * side * side, m.side, sy.high, sx);
      run.values[i] = (1 - sy.weight) * above + sy.weight * below > threshold;
    }
    if (++x < width) continue;
    x = 0;
    if (++y < height) continue;
    y = 0;
    ++k;
    if (k < valid) m = box_at();
  }
  if (size == kRun)
    store_pack(out, first, run);
  else
    for (int i = 0; i < size; ++i) out[first + i] = run.values[i];
}

class PasteMasks : public Kernel {
 public:
  explicit PasteMasks(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), side_(call.in[0].shape[1]) {}
  Status init() { return paste_masks::read_settings(call_, &settings_); }

  Status run(RunContext& context) override {
    const int64_t all = rows_ * settings_.height * settings_.width;
    return launch(stream_of(context), "paste_masks", grid_of(ceil_div(all, kRun)), kThreads, paste,
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
