#include "ops/rpn_loss.h"

#include <unordered_set>

#include "cpu/kernels.h"
#include "cpu/losses.h"

namespace nlrcnn::cpu {
namespace {

using rpn_loss::Anchor;
using rpn_loss::Levels;

class RpnLoss : public Kernel {
 public:
  RpnLoss(const OpCall& call, int block)
      : call_(call),
        levels_(rpn_loss::levels_of(call)),
        sampled_(call.out[2].shape[0]),
        block_(block),
        beta_(static_cast<float>(call.attrs.number("beta", 1.0 / 9))) {}

  size_t workspace_bytes() const override { return partial_bytes(sampled_); }

  Status run(RunContext& context) override {
    const size_t n = levels_.count;
    const auto* indices = context.in[2 * n].as<int32_t>();
    const float *labels = context.in[2 * n + 1].as<float>(), *targets = context.in[2 * n + 2].as<float>();
    float *objectness_grad = context.out[2].as<float>(), *deltas_grad = context.out[3].as<float>();
    const int64_t all = levels_.images * levels_.per_image();
    std::unordered_set<int32_t> seen;
    for (int64_t i = 0; i < sampled_; ++i)
      if (indices[i] < 0 || indices[i] >= all || !seen.insert(indices[i]).second)
        return rpn_loss::wrong_index(indices[i], all);
    auto* partials = static_cast<double*>(context.workspace);
    const float weight = 1 / static_cast<float>(std::max<int64_t>(1, sampled_));
    *context.out[0].as<float>() = sum_terms(sampled_, weight, partials, [&](int64_t i) {
      const Anchor at = rpn_loss::find_anchor(levels_, indices[i]);
      const losses::Term term =
          losses::binary_cross_entropy(value(context, at.level, at, at.anchor), labels[i]);
      objectness_grad[i] = weight * term.grad;
      return term.loss;
    });
    *context.out[1].as<float>() = sum_terms(sampled_, weight, partials, [&](int64_t i) {
      const Anchor at = rpn_loss::find_anchor(levels_, indices[i]);
      double sum = 0;
      for (int64_t k = 4 * i; k < 4 * i + 4; ++k) {
        deltas_grad[k] = 0;
        if (labels[i] < 1) continue;
        const losses::Term term =
            losses::smooth_l1(value(context, n + at.level, at, 4 * at.anchor + k % 4) - targets[k], beta_);
        deltas_grad[k] = weight * term.grad;
        sum += term.loss;
      }
      return sum;
    });
    return {};
  }

 private:
  // Channel `c` of a map at an anchor's place.
  float value(const RunContext& context, size_t map, const Anchor& at, int64_t c) const {
    const Shape& shape = call_.in[map].shape;
    const int64_t places = shape[2] * shape[3], blocks = (shape[1] + block_ - 1) / block_;
    const float* data = context.in[map].as<float>();
    if (call_.in[map].layout == Layout::plain) return data[(at.image * shape[1] + c) * places + at.place];
    return data[((at.image * blocks + c / block_) * places + at.place) * block_ + c % block_];
  }

  OpCall call_;
  Levels levels_;
  int64_t sampled_;
  int block_;
  float beta_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_rpn_loss(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new RpnLoss(call, block));
}

}  // namespace nlrcnn::cpu
