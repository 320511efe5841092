#include "ops/scale_rows.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void multiply(const float* x, float by, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] * by;
}

class ScaleRows : public Kernel {
 public:
  explicit ScaleRows(const OpCall& call)
      : rows_(call.in[0].shape[0]), each_(rows_ ? element_count(call.in[0].shape) / rows_ : 0) {}

  Status run(RunContext& context) override {
    const float *weight = context.in[0].as<float>(), *scale = context.in[1].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for if (rows_ * each_ > 1 << 15)
    for (int64_t row = 0; row < rows_; ++row)
      multiply(weight + row * each_, scale[row], each_, out + row * each_);
    return {};
  }

 private:
  int64_t rows_, each_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_scale_rows(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new ScaleRows(call));
}

}  // namespace nlrcnn::cpu
