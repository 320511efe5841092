#include "ops/max_pool2d.h"

#include <algorithm>
#include <limits>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

struct Window {
  int64_t y0, y1;  // rows of the input
  int64_t width, out_width, kernel, stride, padding;
};

template <int B>
NLRCNN_INLINE void pool(const float* x, const Window& w, float* out) {
  using V = LanesOf<B>;
  for (int64_t ox = 0; ox < w.out_width; ++ox) {
    const int64_t at = ox * w.stride - w.padding;
    const int64_t x0 = std::max<int64_t>(at, 0), x1 = std::min(at + w.kernel, w.width);
    V most = V{} - std::numeric_limits<float>::infinity();
    for (int64_t y = w.y0; y < w.y1; ++y)
      for (int64_t ix = x0; ix < x1; ++ix) {
        const V v = *reinterpret_cast<const V*>(x + (y * w.width + ix) * B);
        most = v > most ? v : most;
      }
    *reinterpret_cast<V*>(out + ox * B) = most;
  }
}

NLRCNN_MULTIVERSION void pool_row(const float* x, const Window& w, int block, float* out) {
  block == 16 ? pool<16>(x, w, out) : pool<8>(x, w, out);
}

class MaxPool2d : public Kernel {
 public:
  MaxPool2d(const OpCall& call, int block) : in_(call.in[0].shape), out_(call.out[0].shape), block_(block) {
    max_pool2d::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const int64_t planes = in_[0] * ((in_[1] + block_ - 1) / block_), rows = out_[2];
    const float* x = context.in[0].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < planes * rows; ++i) {
      const int64_t at = i % rows * settings_.stride[0] - settings_.padding[0];
      const Window window{std::max<int64_t>(at, 0),
                          std::min(at + settings_.kernel[0], in_[2]),
                          in_[3],
                          out_[3],
                          settings_.kernel[1],
                          settings_.stride[1],
                          settings_.padding[1]};
      pool_row(x + i / rows * in_[2] * in_[3] * block_, window, block_, out + i * out_[3] * block_);
    }
    return {};
  }

 private:
  Shape in_, out_;
  int block_;
  max_pool2d::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_max_pool2d(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new MaxPool2d(call, block));
}

}  // namespace nlrcnn::cpu
