#include "ops/add.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void add_values(Span<const T> a, Span<const T> b, Span<T> out, int64_t count) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i + kSize > count) {
    for (int64_t k = i; k < count; ++k) out[k] = from_float<T>(to_float(a[k]) + to_float(b[k]));
    return;
  }
  Pack<T> pack = load_pack(a, i);
  const Pack<T> other = load_pack(b, i);
  for (int k = 0; k < kSize; ++k)
    pack.values[k] = from_float<T>(to_float(pack.values[k]) + to_float(other.values[k]));
  store_pack(out, i, pack);
}

class Add : public Kernel {
 public:
  explicit Add(const OpCall& call) : count_(call.out[0].stored_elements(kBlock)), dtype_(call.out[0].dtype) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "add", grid_of(ceil_div(count_, Pack<T>::kSize)), kThreads,
                    add_values<T>, span<const T>(context.in[0]), span<const T>(context.in[1]),
                    span<T>(context.out[0]), count_);
    });
  }

 private:
  int64_t count_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_add(const OpCall& call, Stream&) {
  return made(std::make_unique<Add>(call));
}

}  // namespace nlrcnn::cuda
