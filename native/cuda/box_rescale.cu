#include "ops/box_rescale.h"

#include "cuda/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void rescale(Span<const Box> boxes, Span<const Geometry> geometry, Span<Box> out, int64_t rows,
                           float x, float y) {
  const int64_t i = global_index();
  if (i >= rows) return;
  const Box b = boxes[i];
  if (geometry) {
    x = geometry[0].scale_x;
    y = geometry[0].scale_y;
  }
  out[i] = {b.x1 * x, b.y1 * y, b.x2 * x, b.y2 * y};
}

class BoxRescale : public Kernel {
 public:
  explicit BoxRescale(const OpCall& call) : call_(call), rows_(call.in[0].shape[0]) {}

  Status init() {
    if (!call_.has(1)) return read_numbers(call_, "scale", 2, &scale_);
    scale_ = {1, 1};
    return {};
  }

  Status run(RunContext& context) override {
    return launch(stream_of(context), "box_rescale", grid_of(rows_), kThreads, rescale,
                  span<const Box>(context.in[0].data, rows_), span<const Geometry>(context.in[1].data, 1),
                  span<Box>(context.out[0].data, rows_), rows_, scale_[0], scale_[1]);
  }

 private:
  OpCall call_;
  int64_t rows_;
  std::vector<float> scale_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_rescale(const OpCall& call, Stream&) {
  return made(std::make_unique<BoxRescale>(call));
}

}  // namespace nlrcnn::cuda
