#include "ops/max_pool2d.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

struct Window {
  int64_t kernel[2], stride[2], padding[2];
};

template <class T>
NLRCNN_KERNEL void pool(Span<const T> x, Span<T> out, Map from, Map to, Window w) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= to.n * to.h * to.w * to.c) return;
  const int64_t c = i % to.c, ox = i / to.c % to.w, oy = i / to.c / to.w % to.h, n = i / to.c / to.w / to.h;
  float most[kSize];
  for (int k = 0; k < kSize; ++k) most[k] = float_of(0xff800000u);  // -infinity
  for (int64_t ky = 0; ky < w.kernel[0]; ++ky) {
    const int64_t y = oy * w.stride[0] - w.padding[0] + ky;
    if (y < 0 || y >= from.h) continue;
    for (int64_t kx = 0; kx < w.kernel[1]; ++kx) {
      const int64_t sx = ox * w.stride[1] - w.padding[1] + kx;
      if (sx < 0 || sx >= from.w) continue;
      const Pack<T> pack = load_pack(x, from.at(n, y, sx) + c);
      for (int k = 0; k < kSize; ++k) {
        const float v = to_float(pack.values[k]);
        most[k] = v > most[k] || v != v ? v : most[k];
      }
    }
  }
  Pack<T> pack;
  for (int k = 0; k < kSize; ++k) pack.values[k] = from_float<T>(most[k]);
  store_pack(out, i, pack);
}

class MaxPool2d : public Kernel {
 public:
  explicit MaxPool2d(const OpCall& call)
      : call_(call), from_(call.in[0].shape), to_(call.out[0].shape), dtype_(call.target.compute) {}

  Status init() {
    max_pool2d::Settings s;
    if (Status status = max_pool2d::read_settings(call_, &s); !status.ok()) return status;
    window_ = {{s.kernel[0], s.kernel[1]}, {s.stride[0], s.stride[1]}, {s.padding[0], s.padding[1]}};
    return {};
  }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "max_pool2d", grid_of(to_.n * to_.h * to_.w * to_.c / Pack<T>::kSize),
                    kThreads, pool<T>, span<const T>(context.in[0]), span<T>(context.out[0]), from_, to_,
                    window_);
    });
  }

 private:
  OpCall call_;
  Map from_, to_;
  Window window_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_max_pool2d(const OpCall& call, Stream&) {
  return made(std::make_unique<MaxPool2d>(call));
}

}  // namespace nlrcnn::cuda
