#include "ops/scale_rows_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// One block for each row.
NLRCNN_KERNEL void dot_rows(Span<const float> grad, Span<const float> weight, Span<float> out, int64_t each) {
  NLRCNN_SHARED(double, sums, kThreads / 32);
  const int64_t row = block_x();
  double own = 0;
  for (int64_t i = row * each + thread_index(); i < (row + 1) * each; i += kThreads)
    own += double(grad[i]) * weight[i];
  const double all = block_sum(sums, own);
  if (thread_index() == 0) out[row] = static_cast<float>(all);
}

class ScaleRowsBackward : public Kernel {
 public:
  explicit ScaleRowsBackward(const OpCall& call) : shape_(call.in[0].shape) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const int64_t rows = shape_[0], each = rows ? element_count(shape_) / rows : 0;
    return launch(stream_of(context), "scale_rows_backward", {static_cast<uint32_t>(rows)}, kThreads,
                  dot_rows, span<const float>(context.in[0]), span<const float>(context.in[1]),
                  span<float>(context.out[0]), each);
  }

 private:
  Shape shape_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_scale_rows_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<ScaleRowsBackward>(call));
}

}  // namespace nlrcnn::cuda
