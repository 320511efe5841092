#include "ops/sum_places_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void repeat(Span<const float> grad, Span<float> out, int64_t count, int64_t places) {
  const int64_t i = global_index();
  if (i < count) out[i] = grad[i / places];
}

class SumPlacesBackward : public Kernel {
 public:
  explicit SumPlacesBackward(const OpCall& call)
      : count_(element_count(call.out[0].shape)), places_(call.attrs.integer("places", 1)) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return launch(stream_of(context), "sum_places_backward", grid_of(count_), kThreads, repeat,
                  span<const float>(context.in[0]), span<float>(context.out[0]), count_, places_);
  }

 private:
  int64_t count_, places_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sum_places_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<SumPlacesBackward>(call));
}

}  // namespace nlrcnn::cuda
