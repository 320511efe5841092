#include "ops/rpn_loss_backward.h"

#include <algorithm>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

using rpn_loss::Anchor;

class RpnLossBackward : public Kernel {
 public:
  RpnLossBackward(const OpCall& call, int block) : call_(call), sampled_(call.in[2].shape[0]), block_(block) {
    rpn_loss_backward::read_levels(call, &levels_);
  }

  Status run(RunContext& context) override {
    const float *objectness = context.in[0].as<float>(), *deltas = context.in[1].as<float>();
    const auto* indices = context.in[2].as<int32_t>();
    const float upstream = context.in[3] ? *context.in[3].as<float>() : 0;
    const float box_upstream = context.in[4] ? *context.in[4].as<float>() : 0;
    const int64_t all = levels_.images * levels_.per_image();
    for (const View& out : context.out) std::fill_n(out.as<float>(), out.desc->stored_elements(block_), 0.0f);
    for (int64_t i = 0; i < sampled_; ++i) {
      if (indices[i] < 0 || indices[i] >= all) return rpn_loss::wrong_index(indices[i], all);
      const Anchor at = rpn_loss::find_anchor(levels_, indices[i]);
      place(context, at.level, at, at.anchor, upstream * objectness[i]);
      for (int64_t k = 0; k < 4; ++k)
        place(context, levels_.count + at.level, at, 4 * at.anchor + k, box_upstream * deltas[4 * i + k]);
    }
    return {};
  }

 private:
  void place(const RunContext& context, size_t map, const Anchor& at, int64_t c, float v) const {
    const Shape& shape = call_.out[map].shape;
    const int64_t places = shape[2] * shape[3], blocks = (shape[1] + block_ - 1) / block_;
    context.out[map]
        .as<float>()[((at.image * blocks + c / block_) * places + at.place) * block_ + c % block_] = v;
  }

  OpCall call_;
  rpn_loss::Levels levels_{};
  int64_t sampled_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_rpn_loss_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new RpnLossBackward(call, block));
}

}  // namespace nlrcnn::cpu
