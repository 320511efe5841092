#include "ops/mask_loss_backward.h"

#include "cpu/kernels.h"
#include "cpu/losses.h"

namespace nlrcnn::cpu {
namespace {

class MaskLossBackward : public Kernel {
 public:
  MaskLossBackward(const OpCall& call, int block) : shape_(call.out[0].shape), block_(block) {}

  Status run(RunContext& context) override {
    const float* grad = context.in[0].as<float>();
    const auto* labels = context.in[1].as<int32_t>();
    const float upstream = *context.in[2].as<float>();
    float* out = context.out[0].as<float>();
    if (const int64_t wrong = find_wrong_label(labels, shape_[0], -1, shape_[1]); wrong >= 0)
      return losses::wrong_label(labels[wrong], shape_[1]);
    const int64_t places = shape_[2] * shape_[3], blocks = (shape_[1] + block_ - 1) / block_;
#pragma omp parallel for
    for (int64_t k = 0; k < shape_[0]; ++k) {
      float* roi = out + k * blocks * places * block_;
      std::fill_n(roi, blocks * places * block_, 0.0f);
      if (labels[k] < 0) continue;
      float* own = roi + labels[k] / block_ * places * block_ + labels[k] % block_;
      for (int64_t p = 0; p < places; ++p) own[p * block_] = upstream * grad[k * places + p];
    }
    return {};
  }

 private:
  Shape shape_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_loss_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new MaskLossBackward(call, block));
}

}  // namespace nlrcnn::cpu
