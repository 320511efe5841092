#include "ops/softmax_cross_entropy.h"

#include "cpu/kernels.h"
#include "cpu/losses.h"

namespace nlrcnn::cpu {
namespace {

class SoftmaxCrossEntropy : public Kernel {
 public:
  explicit SoftmaxCrossEntropy(const OpCall& call)
      : rows_(call.in[0].shape[0]), classes_(call.in[0].shape[1]) {
    losses::read_weight(call, rows_, &weight_);
  }

  size_t workspace_bytes() const override { return partial_bytes(rows_); }

  Status run(RunContext& context) override {
    const float* logits = context.in[0].as<float>();
    const auto* labels = context.in[1].as<int32_t>();
    float* grad = context.out[1].as<float>();
    if (const int64_t wrong = find_wrong_label(labels, rows_, 0, classes_); wrong >= 0)
      return losses::wrong_label(labels[wrong], classes_);
    const float loss = sum_terms(rows_, weight_, static_cast<double*>(context.workspace), [&](int64_t row) {
      return losses::softmax_row(logits + row * classes_, classes_, labels[row], weight_,
                                 grad + row * classes_);
    });
    *context.out[0].as<float>() = loss;
    return {};
  }

 private:
  int64_t rows_, classes_;
  float weight_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_softmax_cross_entropy(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SoftmaxCrossEntropy(call));
}

}  // namespace nlrcnn::cpu
