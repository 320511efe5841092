#include "ops/upsample_add.h"

#include "cuda/kernels.h"
#include "ops/nearest.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void add_upsampled(Span<const T> top, Span<const T> lateral, Span<T> out, Map from, Map to) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= to.n * to.h * to.w * to.c) return;
  const int64_t c = i % to.c, x = i / to.c % to.w, y = i / to.c / to.w % to.h, n = i / to.c / to.w / to.h;
  const int64_t sy = nearest_source(y, static_cast<float>(from.h) / to.h, from.h),
                sx = nearest_source(x, static_cast<float>(from.w) / to.w, from.w);
  const Pack<T> above = load_pack(top, from.at(n, sy, sx) + c);
  Pack<T> pack = load_pack(lateral, i);
  for (int k = 0; k < kSize; ++k)
    pack.values[k] = from_float<T>(to_float(pack.values[k]) + to_float(above.values[k]));
  store_pack(out, i, pack);
}

class UpsampleAdd : public Kernel {
 public:
  explicit UpsampleAdd(const OpCall& call)
      : top_(call.in[0].shape), out_(call.out[0].shape), dtype_(call.target.compute) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "upsample_add",
                    grid_of(out_.n * out_.h * out_.w * out_.c / Pack<T>::kSize), kThreads, add_upsampled<T>,
                    span<const T>(context.in[0]), span<const T>(context.in[1]), span<T>(context.out[0]), top_,
                    out_);
    });
  }

 private:
  Map top_, out_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_upsample_add(const OpCall& call, Stream&) {
  return made(std::make_unique<UpsampleAdd>(call));
}

}  // namespace nlrcnn::cuda
