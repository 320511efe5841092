#include "ops/scale_rows_backward.h"

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

class ScaleRowsBackward : public Kernel {
 public:
  explicit ScaleRowsBackward(const OpCall& call)
      : rows_(call.in[0].shape[0]), each_(rows_ ? element_count(call.in[0].shape) / rows_ : 0) {}

  Status run(RunContext& context) override {
    const float *grad = context.in[0].as<float>(), *weight = context.in[1].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for if (rows_ * each_ > 1 << 15)
    for (int64_t row = 0; row < rows_; ++row) {
      double sum = 0;
      for (int64_t i = row * each_; i < (row + 1) * each_; ++i) sum += double(grad[i]) * weight[i];
      out[row] = static_cast<float>(sum);
    }
    return {};
  }

 private:
  int64_t rows_, each_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_scale_rows_backward(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new ScaleRowsBackward(call));
}

}  // namespace nlrcnn::cpu
