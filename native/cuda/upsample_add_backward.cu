#include "ops/upsample_add_backward.h"

#include "cuda/kernels.h"
#include "ops/nearest.h"

namespace nlrcnn::cuda {
namespace {

// One thread for a pack of channels of top: the sum over the places that were copied from it.
template <class T>
NLRCNN_KERNEL void gather(Span<const T> grad, Span<T> out, Map from, Map to) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= to.n * to.h * to.w * to.c) return;
  const int64_t c = i % to.c, x = i / to.c % to.w, y = i / to.c / to.w % to.h, n = i / to.c / to.w / to.h;
  const float scale_y = static_cast<float>(to.h) / from.h, scale_x = static_cast<float>(to.w) / from.w;
  const int64_t first_x = first_place(x, scale_x, to.w, from.w);
  float sum[kSize] = {};
  for (int64_t gy = first_place(y, scale_y, to.h, from.h);
       gy < from.h && nearest_source(gy, scale_y, to.h) == y; ++gy)
    for (int64_t gx = first_x; gx < from.w && nearest_source(gx, scale_x, to.w) == x; ++gx) {
      const Pack<T> pack = load_pack(grad, from.at(n, gy, gx) + c);
      for (int k = 0; k < kSize; ++k) sum[k] += to_float(pack.values[k]);
    }
  Pack<T> pack;
  for (int k = 0; k < kSize; ++k) pack.values[k] = from_float<T>(sum[k]);
  store_pack(out, i, pack);
}

class UpsampleAddBackward : public Kernel {
 public:
  explicit UpsampleAddBackward(const OpCall& call)
      : grad_(call.in[0].shape), top_(call.out[0].shape), dtype_(call.target.compute) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "upsample_add_backward",
                    grid_of(top_.n * top_.h * top_.w * top_.c / Pack<T>::kSize), kThreads, gather<T>,
                    span<const T>(context.in[0]), span<T>(context.out[0]), grad_, top_);
    });
  }

 private:
  Map grad_, top_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_upsample_add_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<UpsampleAddBackward>(call));
}

}  // namespace nlrcnn::cuda
