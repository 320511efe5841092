#include "ops/max_pool2d_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

struct Window {
  int64_t kernel[2], stride[2], padding[2];
};

// The first window along an axis that reaches place `at`.
NLRCNN_DEVICE int64_t first_window(int64_t at, int64_t kernel, int64_t stride, int64_t padding) {
  const int64_t reach = at + padding - kernel;
  return reach < 0 ? 0 : reach / stride + 1;
}

// One thread for a pack of channels of x: of each window that reaches it, what has its maximum there.
template <class T>
NLRCNN_KERNEL void route(Span<const T> grad, Span<const T> x, Span<T> dx, Map from, Map to, Window w) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= to.n * to.h * to.w * to.c) return;
  const int64_t c = i % to.c, px = i / to.c % to.w, py = i / to.c / to.w % to.h, n = i / to.c / to.w / to.h;
  float sum[kSize] = {};
  for (int64_t oy = first_window(py, w.kernel[0], w.stride[0], w.padding[0]);
       oy < from.h && oy * w.stride[0] - w.padding[0] <= py; ++oy)
    for (int64_t ox = first_window(px, w.kernel[1], w.stride[1], w.padding[1]);
         ox < from.w && ox * w.stride[1] - w.padding[1] <= px; ++ox) {
      float most[kSize];
      int64_t which[kSize];
      for (int k = 0; k < kSize; ++k) {
        most[k] = float_of(0xff800000u);  // -infinity
        which[k] = -1;
      }
      for (int64_t ky = 0; ky < w.kernel[0]; ++ky) {
        const int64_t y = oy * w.stride[0] - w.padding[0] + ky;
        if (y < 0 || y >= to.h) continue;
        for (int64_t kx = 0; kx < w.kernel[1]; ++kx) {
          const int64_t sx = ox * w.stride[1] - w.padding[1] + kx;
          if (sx < 0 || sx >= to.w) continue;
          const Pack<T> pack = load_pack(x, to.at(n, y, sx) + c);
          for (int k = 0; k < kSize; ++k) {
            const float v = to_float(pack.values[k]);
            if (which[k] >= 0 && !(v > most[k]) && v == v) continue;
            most[k] = v;
            which[k] = y * to.w + sx;
          }
        }
      }
      const Pack<T> pack = load_pack(grad, from.at(n, oy, ox) + c);
      for (int k = 0; k < kSize; ++k)
        if (which[k] == py * to.w + px) sum[k] += to_float(pack.values[k]);
    }
  Pack<T> pack;
  for (int k = 0; k < kSize; ++k) pack.values[k] = from_float<T>(sum[k]);
  store_pack(dx, i, pack);
}

class MaxPool2dBackward : public Kernel {
 public:
  explicit MaxPool2dBackward(const OpCall& call)
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
      return launch(stream_of(context), "max_pool2d_backward",
                    grid_of(to_.n * to_.h * to_.w * to_.c / Pack<T>::kSize), kThreads, route<T>,
                    span<const T>(context.in[0]), span<const T>(context.in[1]), span<T>(context.out[0]),
                    from_, to_, window_);
    });
  }

 private:
  OpCall call_;
  Map from_, to_;
  Window window_{};
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_max_pool2d_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<MaxPool2dBackward>(call));
}

}  // namespace nlrcnn::cuda
