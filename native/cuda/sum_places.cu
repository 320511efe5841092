#include "ops/sum_places.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void sum_rows(Span<const float> weight, Span<float> out, int64_t count, int64_t places) {
  const int64_t i = global_index();
  if (i >= count) return;
  float sum = 0;
  for (int64_t p = 0; p < places; ++p) sum += weight[i * places + p];
  out[i] = sum;
}

class SumPlaces : public Kernel {
 public:
  explicit SumPlaces(const OpCall& call)
      : count_(element_count(call.out[0].shape)), places_(call.attrs.integer("places", 1)) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return launch(stream_of(context), "sum_places", grid_of(count_), kThreads, sum_rows,
                  span<const float>(context.in[0]), span<float>(context.out[0]), count_, places_);
  }

 private:
  int64_t count_, places_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sum_places(const OpCall& call, Stream&) {
  return made(std::make_unique<SumPlaces>(call));
}

}  // namespace nlrcnn::cuda
