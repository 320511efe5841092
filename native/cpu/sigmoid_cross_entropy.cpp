#include "ops/sigmoid_cross_entropy.h"

#include "cpu/kernels.h"
#include "cpu/losses.h"

namespace nlrcnn::cpu {
namespace {

class SigmoidCrossEntropy : public Kernel {
 public:
  explicit SigmoidCrossEntropy(const OpCall& call) : count_(element_count(call.in[0].shape)) {
    losses::read_weight(call, count_, &weight_);
  }

  size_t workspace_bytes() const override { return partial_bytes(count_); }

  Status run(RunContext& context) override {
    const float *logits = context.in[0].as<float>(), *targets = context.in[1].as<float>();
    float* grad = context.out[1].as<float>();
    const float loss = sum_terms(count_, weight_, static_cast<double*>(context.workspace), [&](int64_t i) {
      const losses::Term term = losses::binary_cross_entropy(logits[i], targets[i]);
      grad[i] = weight_ * term.grad;
      return term.loss;
    });
    *context.out[0].as<float>() = loss;
    return {};
  }

 private:
  int64_t count_;
  float weight_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sigmoid_cross_entropy(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SigmoidCrossEntropy(call));
}

}  // namespace nlrcnn::cpu
