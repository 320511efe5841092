#include "ops/box_decode.h"

#include "cuda/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cuda {
namespace {

struct Weights {
  float values[4];
};

NLRCNN_KERNEL void decode(Span<const Box> boxes, Span<const Box> deltas, Span<Box> out, int64_t rows,
                          int64_t classes, Weights weights) {
  const int64_t i = global_index();
  if (i >= rows * classes) return;
  const Box d = deltas[i];
  const float delta[4] = {d.x1, d.y1, d.x2, d.y2};
  out[i] = decode_box(boxes[i / classes], delta, weights.values);
}

class BoxDecode : public Kernel {
 public:
  explicit BoxDecode(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), classes_(call.in[1].shape[1] / 4) {}

  Status init() {
    std::vector<float> weights;
    if (Status s = read_numbers(call_, "weights", 4, &weights); !s.ok()) return s;
    std::copy(weights.begin(), weights.end(), weights_.values);
    return {};
  }

  Status run(RunContext& context) override {
    const int64_t all = rows_ * classes_;
    return launch(stream_of(context), "box_decode", grid_of(all), kThreads, decode,
                  span<const Box>(context.in[0].data, rows_), span<const Box>(context.in[1].data, all),
                  span<Box>(context.out[0].data, all), rows_, classes_, weights_);
  }

 private:
  OpCall call_;
  int64_t rows_, classes_;
  Weights weights_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_decode(const OpCall& call, Stream&) {
  return made(std::make_unique<BoxDecode>(call));
}

}  // namespace nlrcnn::cuda
