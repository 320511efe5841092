#include "ops/mask_loss_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// One thread for each pack of channels.
template <class T>
NLRCNN_KERNEL void spread(Span<const float> grad, Span<const int32_t> labels, Span<const float> upstream,
                          Span<T> out, Faults faults, Map to, int64_t classes) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, c = i % to.c, place = i / to.c;
  if (place >= to.n * to.h * to.w) return;
  const int32_t label = labels[place / (to.h * to.w)];
  if (label < -1 || label >= classes) report(faults, Fault::label, label);
  Pack<T> pack;
  for (int k = 0; k < kSize; ++k)
    pack.values[k] = from_float<T>(c + k == label ? upstream[0] * grad[place] : 0.0f);
  store_pack(out, i, pack);
}

class MaskLossBackward : public Kernel {
 public:
  explicit MaskLossBackward(const OpCall& call) : shape_(call.out[0].shape), dtype_(call.target.compute) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const Map to(shape_);
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(
          stream_of(context), "mask_loss_backward", grid_of(to.n * to.h * to.w * to.c / Pack<T>::kSize),
          kThreads, spread<T>, span<const float>(context.in[0]), span<const int32_t>(context.in[1]),
          span<const float>(context.in[2]), span<T>(context.out[0]), faults(context), to, shape_[1]);
    });
  }

 private:
  Shape shape_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_loss_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<MaskLossBackward>(call));
}

}  // namespace nlrcnn::cuda
