#include "ops/mask_probs.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// One warp for each place of each RoI.
template <class T>
NLRCNN_KERNEL void probabilities(Span<const T> x, Span<const float> weight, Span<const float> bias,
                                 Span<const int32_t> labels, Span<const int32_t> count, Span<float> out,
                                 Faults faults, int64_t rows, int64_t places, int64_t channels,
                                 int64_t padded_channels, int64_t classes) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t at = global_index() / 32, k = at / places;
  const int lane = thread_index() % 32;
  const bool valid = k < rows_of(count, rows);
  const int32_t label = valid ? labels[k] : 0;
  const bool known = label >= 0 && label < classes;
  float sum = 0;
  if (valid && known)
    for (int64_t c = lane * kSize; c < padded_channels; c += 32 * kSize) {
      const Pack<T> pack = load_pack(x, at * padded_channels + c);
      for (int i = 0; i < kSize; ++i)
        if (c + i < channels) sum += to_float(pack.values[i]) * weight[label * channels + c + i];
    }
  sum = warp_sum(sum);
  if (!valid || lane != 0) return;
  if (!known)
    report(faults, Fault::label, label);
  else
    out[at] = 1.0f / (1.0f + expf(-(sum + bias[label])));
}

class MaskProbs : public Kernel {
 public:
  explicit MaskProbs(const OpCall& call)
      : shape_(call.in[0].shape), classes_(call.in[1].shape[0]), dtype_(call.target.compute) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const int64_t places = shape_[2] * shape_[3];
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "mask_probs", grid_of(shape_[0] * places * 32), kThreads,
                    probabilities<T>, span<const T>(context.in[0]), span<const float>(context.in[1]),
                    span<const float>(context.in[2]), span<const int32_t>(context.in[3]),
                    span<const int32_t>(context.in[4]), span<float>(context.out[0]), faults(context),
                    shape_[0], places, shape_[1], padded(shape_[1]), classes_);
    });
  }

 private:
  Shape shape_;
  int64_t classes_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_probs(const OpCall& call, Stream&) {
  return made(std::make_unique<MaskProbs>(call));
}

}  // namespace nlrcnn::cuda
