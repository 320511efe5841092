#include "cpu/gradient_pass.h"

#include <algorithm>

#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

constexpr int64_t kChunk = 512;  // places summed up in float32

template <int L>
NLRCNN_INLINE void pass_lanes(const float* grad, const float* y, int64_t places, int64_t stride,
                              float* masked, float* sums) {
  using V = LanesOf<L>;
  V sum{};
  for (int64_t p = 0; p < places; ++p) {
    V g = *reinterpret_cast<const V*>(grad + p * stride);
    if (y) {
      const V behind = *reinterpret_cast<const V*>(y + p * stride);
      for (int l = 0; l < L; ++l) g[l] = behind[l] > 0 ? g[l] : 0.0f;
    }
    if (masked) *reinterpret_cast<V*>(masked + p * stride) = g;
    sum += g;
  }
  *reinterpret_cast<V*>(sums) = sum;
}

NLRCNN_MULTIVERSION void pass_strip(const float* grad, const float* y, int64_t places, int64_t lanes,
                                    int64_t stride, float* masked, float* sums) {
  if (lanes == 16) return pass_lanes<16>(grad, y, places, stride, masked, sums);
  if (lanes == 8) return pass_lanes<8>(grad, y, places, stride, masked, sums);
  std::fill_n(sums, lanes, 0.0f);
  for (int64_t p = 0; p < places; ++p)
    for (int64_t l = 0; l < lanes; ++l) {
      const int64_t at = p * stride + l;
      const float g = !y || y[at] > 0 ? grad[at] : 0.0f;
      if (masked) masked[at] = g;
      sums[l] += g;
    }
}

}  // namespace

GradientPass::GradientPass(const TensorDesc& out, int block)
    : blocked_(out.layout == Layout::blocked), channels_(out.shape[1]) {
  images_ = blocked_ ? out.shape[0] : 1;
  places_ = blocked_ ? out.shape[2] * out.shape[3] : out.shape[0];
  lanes_ = blocked_ ? block : 16;
  strips_ = (channels_ + lanes_ - 1) / lanes_;
  chunks_ = (places_ + kChunk - 1) / kChunk;
}

void GradientPass::run(const float* grad, const float* y, int64_t rows, float* masked, float* bias,
                       float* workspace) const {
  const int64_t images = blocked_ ? rows : images_, places = blocked_ ? places_ : rows;
  const int64_t stride = blocked_ ? lanes_ : channels_, width = strips_ * lanes_;
#pragma omp parallel for
  for (int64_t i = 0; i < images * strips_ * chunks_; ++i) {
    const int64_t n = i / chunks_ / strips_, strip = i / chunks_ % strips_, first = i % chunks_ * kChunk;
    const int64_t at =
        blocked_ ? ((n * strips_ + strip) * places_ + first) * lanes_ : first * stride + strip * lanes_;
    const int64_t lanes = blocked_ ? lanes_ : std::min(lanes_, channels_ - strip * lanes_);
    pass_strip(grad + at, y ? y + at : nullptr, std::clamp<int64_t>(places - first, 0, kChunk), lanes, stride,
               masked ? masked + at : nullptr,
               workspace + (n * chunks_ + i % chunks_) * width + strip * lanes_);
  }
  if (masked) {
    const int64_t row = blocked_ ? strips_ * places_ * lanes_ : channels_;
    std::fill(masked + rows * row, masked + (blocked_ ? images_ : places_) * row, 0.0f);
  }
  if (!bias) return;
#pragma omp parallel for
  for (int64_t c = 0; c < channels_; ++c) {
    double sum = 0;
    for (int64_t part = 0; part < images * chunks_; ++part) sum += workspace[part * width + c];
    bias[c] = static_cast<float>(sum);
  }
}

}  // namespace nlrcnn::cpu
