#include "ops/rpn_loss.h"

#include "cuda/losses.h"

namespace nlrcnn::cuda {
namespace {

using rpn_loss::Anchor;
using rpn_loss::kLevels;
using rpn_loss::Levels;

// Objectness of each level, then deltas.
struct Maps {
  const void* data[2 * kLevels];
  bool blocked[2 * kLevels];
};

template <class T>
NLRCNN_DEVICE float value(const Maps& maps, const Levels& levels, int map, int64_t channels, const Anchor& at,
                          int64_t c) {
  const int64_t places = levels.height[at.level] * levels.width[at.level];
  const int64_t stored = maps.blocked[map] ? padded(channels) : channels;
  const Span<const T> data(static_cast<const T*>(maps.data[map]),
                           static_cast<size_t>(levels.images * places * stored));
  return to_float(maps.blocked[map] ? data[(at.image * places + at.place) * stored + c]
                                    : data[(at.image * channels + c) * places + at.place]);
}

template <class T>
struct Objectness {
  Maps maps;
  Levels levels;
  Span<const int32_t> indices;
  Span<const float> labels;
  Span<float> grad;
  Faults faults;
  float weight;
  NLRCNN_DEVICE float operator()(int64_t i) const {
    const int32_t index = indices[i];
    bool wrong = index < 0 || index >= levels.images * levels.per_image();
    for (int64_t k = 0; k < i && !wrong; ++k) wrong = indices[k] == index;
    if (wrong) {
      report(faults, Fault::anchor, index);
      return 0;
    }
    const Anchor at = rpn_loss::find_anchor(levels, index);
    const losses::Term term = losses::binary_cross_entropy(
        value<T>(maps, levels, at.level, levels.anchors, at, at.anchor), labels[i]);
    grad[i] = weight * term.grad;
    return term.loss;
  }
};

template <class T>
struct Deltas {
  Maps maps;
  Levels levels;
  Span<const int32_t> indices;
  Span<const float> labels, targets;
  Span<float> grad;
  float beta, weight;
  NLRCNN_DEVICE float operator()(int64_t i) const {
    grad[i] = 0;
    const int32_t index = indices[i / 4];
    if (!(labels[i / 4] >= 1) || index < 0 || index >= levels.images * levels.per_image()) return 0;
    const Anchor at = rpn_loss::find_anchor(levels, index);
    const float delta =
        value<T>(maps, levels, levels.count + at.level, 4 * levels.anchors, at, 4 * at.anchor + i % 4);
    const losses::Term term = losses::smooth_l1(delta - targets[i], beta);
    grad[i] = weight * term.grad;
    return term.loss;
  }
};

class RpnLoss : public Kernel {
 public:
  explicit RpnLoss(const OpCall& call) : call_(call), sampled_(call.out[2].shape[0]) {}
  Status init() { return {}; }

  size_t workspace_bytes() const override { return partial_bytes(4 * sampled_); }

  Status run(RunContext& context) override {
    const Levels levels = rpn_loss::levels_of(call_);
    const int n = 2 * levels.count;
    Maps maps{};
    for (int i = 0; i < n; ++i) {
      maps.data[i] = context.in[i].data;
      maps.blocked[i] = call_.in[i].layout == Layout::blocked;
    }
    const auto indices = span<const int32_t>(context.in[n]);
    const auto labels = span<const float>(context.in[n + 1]), targets = span<const float>(context.in[n + 2]);
    const float weight = 1 / static_cast<float>(sampled_ > 1 ? sampled_ : 1);
    const auto beta = static_cast<float>(call_.attrs.number("beta", 1.0 / 9));
    Stream& stream = stream_of(context);
    return with_type(call_.target.compute, [&](auto type) -> Status {
      using T = decltype(type);
      const Objectness<T> objectness{
          maps, levels, indices, labels, span<float>(context.out[2]), faults(context), weight};
      if (Status s = sum_terms(stream, "rpn_loss objectness", objectness, sampled_, weight, context.workspace,
                               span<float>(context.out[0]));
          !s.ok())
        return s;
      const Deltas<T> deltas{maps, levels, indices, labels, targets, span<float>(context.out[3]),
                             beta, weight};
      return sum_terms(stream, "rpn_loss deltas", deltas, 4 * sampled_, weight, context.workspace,
                       span<float>(context.out[1]));
    });
  }

 private:
  OpCall call_;
  int64_t sampled_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_rpn_loss(const OpCall& call, Stream&) {
  return made(std::make_unique<RpnLoss>(call));
}

}  // namespace nlrcnn::cuda
