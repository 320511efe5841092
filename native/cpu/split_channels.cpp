#include "ops/split_channels.h"

#include <algorithm>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

class SplitChannels : public Kernel {
 public:
  explicit SplitChannels(const OpCall& call) : rows_(call.in[0].shape[0]) {
    for (int i = 0; i < 2; ++i) each_[i] = rows_ ? element_count(call.out[i].shape) / rows_ : 0;
  }

  Status run(RunContext& context) override {
    const float* weight = context.in[0].as<float>();
    float *left = context.out[0].as<float>(), *right = context.out[1].as<float>();
    const int64_t each = each_[0] + each_[1];
#pragma omp parallel for if (rows_ * each > 1 << 15)
    for (int64_t row = 0; row < rows_; ++row) {
      std::copy_n(weight + row * each, each_[0], left + row * each_[0]);
      std::copy_n(weight + row * each + each_[0], each_[1], right + row * each_[1]);
    }
    return {};
  }

 private:
  int64_t rows_, each_[2];
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_split_channels(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SplitChannels(call));
}

}  // namespace nlrcnn::cpu
