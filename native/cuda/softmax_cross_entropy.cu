#include "ops/softmax_cross_entropy.h"

#include "cuda/losses.h"

namespace nlrcnn::cuda {
namespace {

struct RowCrossEntropy {
  Span<const float> logits;
  Span<const int32_t> labels;
  Span<float> grad;
  Faults faults;
  int64_t classes;
  float weight;
  NLRCNN_DEVICE float operator()(int64_t row) const {
    const int32_t label = labels[row];
    if (label < 0 || label >= classes) {
      report(faults, Fault::label, label);
      return 0;
    }
    const size_t size = static_cast<size_t>(classes);
    return losses::softmax_row(Span<const float>(logits.data + row * classes, size), classes, label, weight,
                               Span<float>(grad.data + row * classes, size));
  }
};

class SoftmaxCrossEntropy : public Kernel {
 public:
  explicit SoftmaxCrossEntropy(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), classes_(call.in[0].shape[1]) {}
  Status init() { return losses::read_weight(call_, rows_, &weight_); }

  size_t workspace_bytes() const override { return partial_bytes(rows_); }

  Status run(RunContext& context) override {
    const RowCrossEntropy term{span<const float>(context.in[0]),
                               span<const int32_t>(context.in[1]),
                               span<float>(context.out[1]),
                               faults(context),
                               classes_,
                               weight_};
    return sum_terms(stream_of(context), "softmax_cross_entropy", term, rows_, weight_, context.workspace,
                     span<float>(context.out[0]));
  }

 private:
  OpCall call_;
  int64_t rows_, classes_;
  float weight_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_softmax_cross_entropy(const OpCall& call, Stream&) {
  return made(std::make_unique<SoftmaxCrossEntropy>(call));
}

}  // namespace nlrcnn::cuda
