#include "ops/sigmoid_cross_entropy.h"

#include "cuda/losses.h"

namespace nlrcnn::cuda {
namespace {

struct CrossEntropy {
  Span<const float> logits, targets;
  Span<float> grad;
  float weight;
  NLRCNN_DEVICE float operator()(int64_t i) const {
    const losses::Term term = losses::binary_cross_entropy(logits[i], targets[i]);
    grad[i] = weight * term.grad;
    return term.loss;
  }
};

class SigmoidCrossEntropy : public Kernel {
 public:
  explicit SigmoidCrossEntropy(const OpCall& call) : call_(call), count_(element_count(call.in[0].shape)) {}
  Status init() { return losses::read_weight(call_, count_, &weight_); }

  size_t workspace_bytes() const override { return partial_bytes(count_); }

  Status run(RunContext& context) override {
    const CrossEntropy term{span<const float>(context.in[0]), span<const float>(context.in[1]),
                            span<float>(context.out[1]), weight_};
    return sum_terms(stream_of(context), "sigmoid_cross_entropy", term, count_, weight_, context.workspace,
                     span<float>(context.out[0]));
  }

 private:
  OpCall call_;
  int64_t count_;
  float weight_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sigmoid_cross_entropy(const OpCall& call, Stream&) {
  return made(std::make_unique<SigmoidCrossEntropy>(call));
}

}  // namespace nlrcnn::cuda
