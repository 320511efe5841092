#include "ops/scale.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void multiply(Span<const T> x, Span<const float> by, float factor, Span<T> out, int64_t count) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  const float all = by ? by[0] * factor : factor;
  if (i + kSize > count) {
    for (int64_t k = i; k < count; ++k) out[k] = from_float<T>(to_float(x[k]) * all);
    return;
  }
  Pack<T> pack = load_pack(x, i);
  for (int k = 0; k < kSize; ++k) pack.values[k] = from_float<T>(to_float(pack.values[k]) * all);
  store_pack(out, i, pack);
}

class Scale : public Kernel {
 public:
  explicit Scale(const OpCall& call)
      : count_(call.out[0].stored_elements(kBlock)),
        dtype_(call.out[0].dtype),
        factor_(static_cast<float>(call.attrs.number("factor", 1))) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "scale", grid_of(ceil_div(count_, Pack<T>::kSize)), kThreads,
                    multiply<T>, span<const T>(context.in[0]), span<const float>(context.in[1]), factor_,
                    span<T>(context.out[0]), count_);
    });
  }

 private:
  int64_t count_;
  DType dtype_;
  float factor_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_scale(const OpCall& call, Stream&) {
  return made(std::make_unique<Scale>(call));
}

}  // namespace nlrcnn::cuda
