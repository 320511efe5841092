#include "ops/sum_places_backward.h"

#include <algorithm>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

class SumPlacesBackward : public Kernel {
 public:
  explicit SumPlacesBackward(const OpCall& call)
      : count_(element_count(call.in[0].shape)), places_(call.attrs.integer("places", 1)) {}

  Status run(RunContext& context) override {
    const float* grad = context.in[0].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for if (count_ * places_ > 1 << 15)
    for (int64_t i = 0; i < count_; ++i) std::fill_n(out + i * places_, places_, grad[i]);
    return {};
  }

 private:
  int64_t count_, places_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sum_places_backward(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SumPlacesBackward(call));
}

}  // namespace nlrcnn::cpu
