#include "ops/smooth_l1.h"

#include "cuda/losses.h"

namespace nlrcnn::cuda {
namespace {

// labels: null where all values count.
struct SmoothL1Term {
  Span<const float> pred, targets;
  Span<const int32_t> labels;
  Span<float> grad;
  Faults faults;
  int64_t columns;
  float beta, weight;
  NLRCNN_DEVICE float operator()(int64_t i) const {
    int64_t at = i;
    if (labels) {
      const int32_t label = labels[i / 4];
      if (label >= columns / 4) report(faults, Fault::label, label);
      if (label <= 0 || label >= columns / 4) return 0;
      at = i / 4 * columns + 4 * label + i % 4;
    }
    const losses::Term term = losses::smooth_l1(pred[at] - targets[i], beta);
    grad[at] = weight * term.grad;
    return term.loss;
  }
};

class SmoothL1 : public Kernel {
 public:
  explicit SmoothL1(const OpCall& call) : call_(call), count_(element_count(call.in[1].shape)) {}
  Status init() { return losses::read_weight(call_, smooth_l1::terms(call_), &weight_); }

  size_t workspace_bytes() const override { return partial_bytes(count_); }

  Status run(RunContext& context) override {
    const Shape& shape = call_.in[0].shape;
    Stream& stream = stream_of(context);
    if (call_.has(2))
      if (Status s = fill_bytes(stream, context.out[1].data, 0, element_count(shape) * sizeof(float));
          !s.ok())
        return s;
    const SmoothL1Term term{span<const float>(context.in[0]),
                            span<const float>(context.in[1]),
                            span<const int32_t>(context.in[2]),
                            span<float>(context.out[1]),
                            faults(context),
                            call_.has(2) ? shape[1] : 1,
                            static_cast<float>(call_.attrs.number("beta", 1)),
                            weight_};
    return sum_terms(stream, "smooth_l1", term, count_, weight_, context.workspace,
                     span<float>(context.out[0]));
  }

 private:
  OpCall call_;
  int64_t count_;
  float weight_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_smooth_l1(const OpCall& call, Stream&) {
  return made(std::make_unique<SmoothL1>(call));
}

}  // namespace nlrcnn::cuda
