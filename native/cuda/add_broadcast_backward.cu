#include "ops/add_broadcast_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// One thread for a pack of channels of a row.
template <class T>
NLRCNN_KERNEL void sum_places(Span<const T> grad, Span<const int32_t> count, Span<T> out, Map from,
                              int64_t channels) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, row = i / from.c, c = i % from.c;
  if (row >= from.n) return;
  float sum[kSize] = {};
  if (row < rows_of(count, from.n))
    for (int64_t p = 0; p < from.h * from.w; ++p) {
      const Pack<T> pack = load_pack(grad, (row * from.h * from.w + p) * from.c + c);
      for (int k = 0; k < kSize; ++k) sum[k] += to_float(pack.values[k]);
    }
  for (int k = 0; k < kSize; ++k)
    if (c + k < channels) out[row * channels + c + k] = from_float<T>(sum[k]);
}

class AddBroadcastBackward : public Kernel {
 public:
  explicit AddBroadcastBackward(const OpCall& call) : shape_(call.in[0].shape), dtype_(call.target.compute) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const Map from(shape_);
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "add_broadcast_backward", grid_of(from.n * from.c / Pack<T>::kSize),
                    kThreads, sum_places<T>, span<const T>(context.in[0]), span<const int32_t>(context.in[1]),
                    span<T>(context.out[0]), from, shape_[1]);
    });
  }

 private:
  Shape shape_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_add_broadcast_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<AddBroadcastBackward>(call));
}

}  // namespace nlrcnn::cuda
