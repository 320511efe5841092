#include "ops/mask_loss.h"

#include "cuda/losses.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
struct OwnClass {
  Span<const T> logits;
  Span<const int32_t> labels;
  Span<const float> targets;
  Span<float> grad;
  Faults faults;
  int64_t places, channels, padded_channels;
  float weight;
  NLRCNN_DEVICE float operator()(int64_t i) const {
    const int32_t label = labels[i / places];
    if (label < 0 || label >= channels) {
      if (label != -1) report(faults, Fault::label, label);
      grad[i] = 0;
      return 0;
    }
    const losses::Term term =
        losses::binary_cross_entropy(to_float(logits[i * padded_channels + label]), targets[i]);
    grad[i] = weight * term.grad;
    return term.loss;
  }
};

class MaskLoss : public Kernel {
 public:
  explicit MaskLoss(const OpCall& call)
      : shape_(call.in[0].shape),
        count_(element_count(call.in[2].shape)),
        weight_(mask_loss::weight(call)),
        dtype_(call.target.compute) {}
  Status init() { return {}; }

  size_t workspace_bytes() const override { return partial_bytes(count_); }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      const OwnClass<T> term{span<const T>(context.in[0]),
                             span<const int32_t>(context.in[1]),
                             span<const float>(context.in[2]),
                             span<float>(context.out[1]),
                             faults(context),
                             shape_[2] * shape_[3],
                             shape_[1],
                             padded(shape_[1]),
                             weight_};
      return sum_terms(stream_of(context), "mask_loss", term, count_, weight_, context.workspace,
                       span<float>(context.out[0]));
    });
  }

 private:
  Shape shape_;
  int64_t count_;
  float weight_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_loss(const OpCall& call, Stream&) {
  return made(std::make_unique<MaskLoss>(call));
}

}  // namespace nlrcnn::cuda
