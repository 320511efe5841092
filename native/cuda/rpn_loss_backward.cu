#include "ops/rpn_loss_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

using rpn_loss::Anchor;
using rpn_loss::kLevels;
using rpn_loss::Levels;

// Objectness of each level, then deltas.
struct Maps {
  void* data[2 * kLevels];
};

template <class T>
NLRCNN_DEVICE void place(const Maps& maps, const Levels& levels, int map, int64_t channels, const Anchor& at,
                         int64_t c, float v) {
  const int64_t places = levels.height[at.level] * levels.width[at.level], stored = padded(channels);
  const Span<T> data(static_cast<T*>(maps.data[map]), static_cast<size_t>(levels.images * places * stored));
  data[(at.image * places + at.place) * stored + c] = from_float<T>(v);
}

// One thread for each sampled anchor.
template <class T>
NLRCNN_KERNEL void scatter(Span<const float> objectness, Span<const float> deltas,
                           Span<const int32_t> indices, Span<const float> upstream,
                           Span<const float> box_upstream, Maps maps, Levels levels, Faults faults,
                           int64_t sampled) {
  const int64_t i = global_index();
  if (i >= sampled) return;
  const int32_t index = indices[i];
  if (index < 0 || index >= levels.images * levels.per_image()) {
    report(faults, Fault::anchor, index);
    return;
  }
  const Anchor at = rpn_loss::find_anchor(levels, index);
  if (upstream) place<T>(maps, levels, at.level, levels.anchors, at, at.anchor, upstream[0] * objectness[i]);
  for (int64_t k = 0; k < 4 && box_upstream; ++k)
    place<T>(maps, levels, levels.count + at.level, 4 * levels.anchors, at, 4 * at.anchor + k,
             box_upstream[0] * deltas[4 * i + k]);
}

class RpnLossBackward : public Kernel {
 public:
  explicit RpnLossBackward(const OpCall& call) : call_(call), sampled_(call.in[2].shape[0]) {}
  Status init() { return rpn_loss_backward::read_levels(call_, &levels_); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    Maps maps{};
    for (size_t i = 0; i < context.out.size(); ++i) {
      maps.data[i] = context.out[i].data;
      if (Status s = fill_bytes(stream, maps.data[i], 0, call_.out[i].bytes(kBlock)); !s.ok()) return s;
    }
    return with_type(call_.target.compute, [&](auto type) {
      using T = decltype(type);
      return launch(stream, "rpn_loss_backward", grid_of(sampled_), kThreads, scatter<T>,
                    span<const float>(context.in[0]), span<const float>(context.in[1]),
                    span<const int32_t>(context.in[2]), span<const float>(context.in[3]),
                    span<const float>(context.in[4]), maps, levels_, faults(context), sampled_);
    });
  }

 private:
  OpCall call_;
  Levels levels_{};
  int64_t sampled_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_rpn_loss_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<RpnLossBackward>(call));
}

}  // namespace nlrcnn::cuda
