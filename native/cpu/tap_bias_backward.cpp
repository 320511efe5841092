#include "ops/tap_bias_backward.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "cpu/tap_bias.h"

namespace nlrcnn::cpu {
namespace {

struct Place {
  int64_t height, width;
  int block, channels;  // of this block
  int64_t stride;       // between taps
};

// taps: of one RoI and one block of channels the sum over the places that each tap reaches.
NLRCNN_MULTIVERSION void window_sums(const float* grad, const Place& p, float* taps) {
  float sums[3][3][16] = {};
  for (int64_t y = 0; y < p.height; ++y) {
    float row[3][16] = {};
    for (int64_t x = 0; x < p.width; ++x, grad += p.block) {
      const float left = x > 0 ? 1.0f : 0.0f, right = x < p.width - 1 ? 1.0f : 0.0f;
      for (int c = 0; c < p.block; ++c) {
        row[0][c] += left * grad[c];
        row[1][c] += grad[c];
        row[2][c] += right * grad[c];
      }
    }
    const int first = y > 0 ? 0 : 1, last = y < p.height - 1 ? 2 : 1;
    for (int dy = first; dy <= last; ++dy)
      for (int dx = 0; dx < 3; ++dx)
        for (int c = 0; c < 16; ++c) sums[dy][dx][c] += row[dx][c];
  }
  for (int t = 0; t < 9; ++t) std::copy_n(sums[t / 3][t % 3], p.channels, taps + t * p.stride);
}

class TapBiasBackward : public Kernel {
 public:
  TapBiasBackward(const OpCall& call, int block)
      : grad_(call.in[0].shape), inner_(call.in[1].shape[1]), block_(block) {}

  // The sums of each RoI, and the weight's gradient with its taps in front.
  size_t workspace_bytes() const override { return (grad_[0] + inner_) * 9 * grad_[1] * sizeof(float); }

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[3], grad_[0]), channels = grad_[1], taps = 9 * channels;
    const int64_t blocks = (channels + block_ - 1) / block_, places = grad_[2] * grad_[3];
    const float *grad = context.in[0].as<float>(), *y = context.in[1].as<float>();
    float *sums = static_cast<float*>(context.workspace), *by_tap = sums + grad_[0] * taps;
    float *dy = context.out[0].as<float>(), *dweight = context.out[1].as<float>(),
          *dbias = context.out[2].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; ++i) {
      const int64_t first = i % blocks * block_;
      const int valid = static_cast<int>(std::min<int64_t>(block_, channels - first));
      window_sums(grad + i * places * block_, {grad_[2], grad_[3], block_, valid, channels},
                  sums + i / blocks * taps + first);
    }
    std::fill(dy + rows * inner_, dy + grad_[0] * inner_, 0.0f);
    std::fill_n(dbias, channels, 0.0f);
    for (int64_t k = 0; k < rows; ++k)
      for (int64_t o = 0; o < channels; ++o) dbias[o] += sums[k * taps + 4 * channels + o];
    if (rows == 0) {
      std::fill_n(dweight, channels * inner_ * 9, 0.0f);
      return {};
    }
    auto packed = packed_taps(context.in_storage[2], context.in[2].as<float>(), channels, inner_);
    if (!packed.ok()) return packed.status();
    const auto* weight = static_cast<const float*>(packed.value()->data());
    if (Status s = run_gemm({false, false, rows, inner_, taps, sums, taps, weight, inner_, dy, inner_});
        !s.ok())
      return s;
    if (Status s = run_gemm({true, false, taps, inner_, rows, sums, taps, y, inner_, by_tap, inner_});
        !s.ok())
      return s;
#pragma omp parallel for
    for (int64_t o = 0; o < channels; ++o)
      for (int64_t d = 0; d < inner_; ++d)
        for (int64_t t = 0; t < 9; ++t)
          dweight[(o * inner_ + d) * 9 + t] = by_tap[(t * channels + o) * inner_ + d];
    return {};
  }

 private:
  Shape grad_;
  int64_t inner_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_tap_bias_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new TapBiasBackward(call, block));
}

}  // namespace nlrcnn::cpu
