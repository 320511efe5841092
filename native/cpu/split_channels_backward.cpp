#include "ops/split_channels_backward.h"

#include <algorithm>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

class SplitChannelsBackward : public Kernel {
 public:
  explicit SplitChannelsBackward(const OpCall& call) : rows_(call.out[0].shape[0]) {
    const int64_t each = rows_ ? element_count(call.out[0].shape) / rows_ : 0;
    const int given = call.has(0) ? 0 : 1;
    each_[given] = rows_ ? element_count(call.in[given].shape) / rows_ : 0;
    each_[1 - given] = each - each_[given];
  }

  Status run(RunContext& context) override {
    const float* parts[] = {context.in[0].as<float>(), context.in[1].as<float>()};
    float* out = context.out[0].as<float>();
    const int64_t each = each_[0] + each_[1];
#pragma omp parallel for if (rows_ * each > 1 << 15)
    for (int64_t row = 0; row < rows_; ++row)
      for (int i = 0; i < 2; ++i) {
        float* to = out + row * each + (i ? each_[0] : 0);
        if (parts[i])
          std::copy_n(parts[i] + row * each_[i], each_[i], to);
        else
          std::fill_n(to, each_[i], 0.0f);
      }
    return {};
  }

 private:
  int64_t rows_, each_[2];
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_split_channels_backward(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SplitChannelsBackward(call));
}

}  // namespace nlrcnn::cpu
