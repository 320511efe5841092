#include "ops/mask_loss.h"

#include "cpu/kernels.h"
#include "cpu/losses.h"

namespace nlrcnn::cpu {
namespace {

class MaskLoss : public Kernel {
 public:
  MaskLoss(const OpCall& call, int block)
      : shape_(call.in[0].shape), block_(block), weight_(mask_loss::weight(call)) {}

  size_t workspace_bytes() const override { return partial_bytes(count()); }

  Status run(RunContext& context) override {
    const float *logits = context.in[0].as<float>(), *targets = context.in[2].as<float>();
    const auto* labels = context.in[1].as<int32_t>();
    float* grad = context.out[1].as<float>();
    if (const int64_t wrong = find_wrong_label(labels, shape_[0], -1, shape_[1]); wrong >= 0)
      return losses::wrong_label(labels[wrong], shape_[1]);
    const int64_t places = shape_[2] * shape_[3], blocks = (shape_[1] + block_ - 1) / block_;
    const float loss = sum_terms(count(), weight_, static_cast<double*>(context.workspace), [&](int64_t i) {
      const int64_t k = i / places, label = labels[k];
      if (label < 0) {
        grad[i] = 0;
        return 0.0f;
      }
      const float logit =
          logits[((k * blocks + label / block_) * places + i % places) * block_ + label % block_];
      const losses::Term term = losses::binary_cross_entropy(logit, targets[i]);
      grad[i] = weight_ * term.grad;
      return term.loss;
    });
    *context.out[0].as<float>() = loss;
    return {};
  }

 private:
  int64_t count() const { return shape_[0] * shape_[2] * shape_[3]; }

  Shape shape_;
  int block_;
  float weight_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_loss(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new MaskLoss(call, block));
}

}  // namespace nlrcnn::cpu
