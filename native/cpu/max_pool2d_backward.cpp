#include "ops/max_pool2d_backward.h"

#include <algorithm>
#include <limits>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

struct Sizes {
  int64_t height, width, out_height, out_width;
  int64_t kernel[2], stride[2], padding[2];
};

// One row of a plane's gradient: of each window that reaches it, what has its maximum there.
template <int B>
NLRCNN_INLINE void route(const float* x, const float* grad, const Sizes& s, int64_t row, float* dx) {
  using V = LanesOf<B>;
  typedef int32_t I __attribute__((vector_size(4 * B)));
  const auto* values = reinterpret_cast<const V*>(x);
  const auto* from = reinterpret_cast<const V*>(grad);
  auto* to = reinterpret_cast<V*>(dx);
  std::fill_n(to, s.width, V{});
  const int64_t reach = row + s.padding[0] - s.kernel[0];  // below it, windows end before the row
  const int64_t first = reach < 0 ? 0 : reach / s.stride[0] + 1;
  const int64_t last = std::min((row + s.padding[0]) / s.stride[0], s.out_height - 1);
  for (int64_t oy = first; oy <= last; ++oy) {
    const int64_t top = oy * s.stride[0] - s.padding[0];
    const int64_t y0 = std::max<int64_t>(top, 0), y1 = std::min(top + s.kernel[0], s.height);
    for (int64_t ox = 0; ox < s.out_width; ++ox) {
      const int64_t left = ox * s.stride[1] - s.padding[1];
      const int64_t x0 = std::max<int64_t>(left, 0), x1 = std::min(left + s.kernel[1], s.width);
      V most = V{} - std::numeric_limits<float>::infinity();
      I which = I{} + static_cast<int32_t>(y0 * s.width + x0);
      for (int64_t y = y0; y < y1; ++y)
        for (int64_t ix = x0; ix < x1; ++ix) {
          const V v = values[y * s.width + ix];
          which = v > most ? I{} + static_cast<int32_t>(y * s.width + ix) : which;
          most = v > most ? v : most;
        }
      const V g = from[oy * s.out_width + ox];
      for (int64_t ix = x0; ix < x1; ++ix)
        to[ix] += which == static_cast<int32_t>(row * s.width + ix) ? g : V{};
    }
  }
}

NLRCNN_MULTIVERSION void route_row(const float* x, const float* grad, const Sizes& s, int64_t row, int block,
                                   float* dx) {
  block == 16 ? route<16>(x, grad, s, row, dx) : route<8>(x, grad, s, row, dx);
}

class MaxPool2dBackward : public Kernel {
 public:
  MaxPool2dBackward(const OpCall& call, int block) : in_(call.in[1].shape), block_(block) {
    max_pool2d::Settings s;
    max_pool2d::read_settings(call, &s);
    const Shape& out = call.in[0].shape;
    sizes_ = {in_[2],
              in_[3],
              out[2],
              out[3],
              {s.kernel[0], s.kernel[1]},
              {s.stride[0], s.stride[1]},
              {s.padding[0], s.padding[1]}};
  }

  Status run(RunContext& context) override {
    const Sizes& s = sizes_;
    const int64_t planes = in_[0] * ((in_[1] + block_ - 1) / block_);
    const float *grad = context.in[0].as<float>(), *x = context.in[1].as<float>();
    float* dx = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < planes * s.height; ++i) {
      const int64_t plane = i / s.height;
      route_row(x + plane * s.height * s.width * block_, grad + plane * s.out_height * s.out_width * block_,
                s, i % s.height, block_, dx + i * s.width * block_);
    }
    return {};
  }

 private:
  Shape in_;
  int block_;
  Sizes sizes_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_max_pool2d_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new MaxPool2dBackward(call, block));
}

}  // namespace nlrcnn::cpu
