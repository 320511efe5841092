#include "ops/tap_bias.h"

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

// taps: nine rows of one RoI and one block of channels. A place gets the sum of the taps that fall inside.
NLRCNN_MULTIVERSION void spread(const float* taps, const float* bias, const Place& p, float* out) {
  float tap[3][3][16] = {}, base[16] = {};
  for (int t = 0; t < 9; ++t)
    for (int c = 0; c < p.channels; ++c) tap[t / 3][t % 3][c] = taps[t * p.stride + c];
  if (bias)
    for (int c = 0; c < p.channels; ++c) base[c] = bias[c];
  for (int64_t y = 0; y < p.height; ++y) {
    const int first = y > 0 ? 0 : 1, last = y < p.height - 1 ? 2 : 1;
    float row[3][16] = {};
    for (int dy = first; dy <= last; ++dy)
      for (int dx = 0; dx < 3; ++dx)
        for (int c = 0; c < 16; ++c) row[dx][c] += tap[dy][dx][c];
    for (int64_t x = 0; x < p.width; ++x, out += p.block) {
      const float left = x > 0 ? 1.0f : 0.0f, right = x < p.width - 1 ? 1.0f : 0.0f;
      for (int c = 0; c < p.block; ++c) out[c] = base[c] + left * row[0][c] + row[1][c] + right * row[2][c];
    }
  }
}

class TapBias : public Kernel {
 public:
  TapBias(const OpCall& call, int block)
      : out_(call.out[0].shape), inner_(call.in[0].shape[1]), block_(block) {}

  size_t workspace_bytes() const override { return out_[0] * 9 * out_[1] * sizeof(float); }

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[3], out_[0]), channels = out_[1];
    auto packed = packed_taps(context.in_storage[1], context.in[1].as<float>(), channels, inner_);
    if (!packed.ok()) return packed.status();
    float* taps = static_cast<float*>(context.workspace);
    const auto* by_tap = static_cast<const float*>(packed.value()->data());
    const Status status = run_gemm({false, true, rows, 9 * channels, inner_, context.in[0].as<float>(),
                                    inner_, by_tap, inner_, taps, 9 * channels});
    if (!status.ok()) return status;
    const int64_t blocks = (channels + block_ - 1) / block_, places = out_[2] * out_[3];
    const float* bias = context.in[2].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; ++i) {
      const int64_t k = i / blocks, first = i % blocks * block_;
      const int valid = static_cast<int>(std::min<int64_t>(block_, channels - first));
      spread(taps + k * 9 * channels + first, bias ? bias + first : nullptr,
             {out_[2], out_[3], block_, valid, channels}, out + i * places * block_);
    }
    return {};
  }

 private:
  Shape out_;
  int64_t inner_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_tap_bias(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new TapBias(call, block));
}

}  // namespace nlrcnn::cpu
