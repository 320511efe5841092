#include "ops/scale_rows.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void multiply_rows(Span<const float> weight, Span<const float> scale, Span<float> out,
                                 int64_t count, int64_t each) {
  const int64_t i = global_index();
  if (i < count) out[i] = weight[i] * scale[i / each];
}

class ScaleRows : public Kernel {
 public:
  explicit ScaleRows(const OpCall& call)
      : count_(element_count(call.in[0].shape)), each_(count_ ? count_ / call.in[0].shape[0] : 1) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return launch(stream_of(context), "scale_rows", grid_of(count_), kThreads, multiply_rows,
                  span<const float>(context.in[0]), span<const float>(context.in[1]),
                  span<float>(context.out[0]), count_, each_);
  }

 private:
  int64_t count_, each_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_scale_rows(const OpCall& call, Stream&) {
  return made(std::make_unique<ScaleRows>(call));
}

}  // namespace nlrcnn::cuda
