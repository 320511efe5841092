#include "ops/sum_places.h"

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

class SumPlaces : public Kernel {
 public:
  explicit SumPlaces(const OpCall& call)
      : count_(element_count(call.out[0].shape)), places_(call.attrs.integer("places", 1)) {}

  Status run(RunContext& context) override {
    const float* weight = context.in[0].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for if (count_ * places_ > 1 << 15)
    for (int64_t i = 0; i < count_; ++i) {
      double sum = 0;
      for (int64_t p = i * places_; p < (i + 1) * places_; ++p) sum += weight[p];
      out[i] = static_cast<float>(sum);
    }
    return {};
  }

 private:
  int64_t count_, places_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sum_places(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SumPlaces(call));
}

}  // namespace nlrcnn::cpu
