#include "ops/non_local_roi_backward.h"

#include <algorithm>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"
#include "ops/non_local_roi_steps.h"

namespace nlrcnn::cpu {
namespace {

using namespace non_local_roi_gradient;

NLRCNN_MULTIVERSION void add_to(const float* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}
NLRCNN_MULTIVERSION void divide(float* values, int64_t count, float by) {
  for (int64_t i = 0; i < count; ++i) values[i] /= by;
}

// Added up window by window: all places less a row and a column would take fewer sums, but lose digits.
void window_sums_of(const Sizes& s, const float* x, float* to) {
  const int64_t c = s.channels;
  std::fill_n(to, 9 * c, 0.0f);
  for (int64_t p = 0; p < s.places(); ++p)
    for (int64_t tap = 0; tap < 9; ++tap)
      if (reached(s, tap, p)) add_to(x + p * c, c, to + tap * c);
  divide(to, 9 * c, static_cast<float>(s.places()));
}

// Places whose rows and columns are alike (first, between, last) are reached by the same taps.
void spread_sums_of(const Sizes& s, const float* sums, float* parts, float* dx) {
  const int64_t c = s.channels, h = s.height, w = s.width;
  const auto kind = [](int64_t at, int64_t size) { return at == 0 ? 0 : at == size - 1 ? 2 : 1; };
  bool made[9] = {};
  for (int64_t p = 0; p < s.places(); ++p) {
    const int64_t of = 3 * kind(p / w, h) + kind(p % w, w);
    float* part = parts + of * c;
    if (!made[of]) {
      std::fill_n(part, c, 0.0f);
      for (int64_t tap = 0; tap < 9; ++tap)
        if (reached(s, tap, p)) add_to(sums + tap * c, c, part);
      divide(part, c, static_cast<float>(s.places()));
      made[of] = true;
    }
    add_to(part, c, dx + p * c);
  }
}

struct Math {
  using Floats = float*;
  using Ints = int32_t*;

  static Floats floats(float* data, int64_t) { return data; }
  static Ints ints(const int32_t* data, int64_t) { return const_cast<int32_t*>(data); }

  template <class Step>
  Status each(int64_t count, const Step& step) {
#pragma omp parallel for if (count > 64)
    for (int64_t i = 0; i < count; ++i) step(i);
    return {};
  }

  template <class Step>
  Status wide(int64_t rows, int64_t width, const Step& step) {
#pragma omp parallel for if (rows > 64)
    for (int64_t row = 0; row < rows; ++row)
#pragma omp simd
      for (int64_t column = 0; column < width; ++column) step(row, column);
    return {};
  }

  Status window_sums(const Sizes& s, const float* x, float* sums) {
    const int64_t each = s.places() * s.channels;
#pragma omp parallel for
    for (int64_t k = 0; k < s.rows; ++k) window_sums_of(s, x + k * each, sums + k * 9 * s.channels);
    return {};
  }
  Status spread_sums(const Sizes& s, const float* sums, float* dx) {
    const int64_t each = s.places() * s.channels;
#pragma omp parallel
    {
      std::vector<float> parts(9 * s.channels);
#pragma omp for
      for (int64_t k = 0; k < s.rows; ++k)
        spread_sums_of(s, sums + k * 9 * s.channels, parts.data(), dx + k * each);
    }
    return {};
  }

  Status product(const Product& p) {
    for (int64_t b = 0; b < p.batch; ++b) {
      const Status status =
          run_gemm({p.transpose_a, p.transpose_b, p.m, p.n, p.k, p.a + b * p.stride_a, p.lda,
                    p.b + b * p.stride_b, p.ldb, p.d + b * p.stride_d, p.ldd, 1, p.add ? 1.0f : 0.0f});
      if (!status.ok()) return status;
    }
    return {};
  }
};

class NonLocalRoiBackward : public Kernel {
 public:
  NonLocalRoiBackward(const OpCall& call, int block)
      : sizes_(sizes_of(non_local_roi_backward::forward_call(call), call.in[0].shape[1])), block_(block) {}

  size_t workspace_bytes() const override { return Buffers(sizes_).end * sizeof(float); }

  Status run(RunContext& context) override {
    const auto& s = sizes_;
    const View& lengths = context.in[1 + non_local_roi::segments];
    if (lengths)
      if (Status wrong = non_local_roi::check_lengths(lengths.as<int32_t>(), lengths.desc->shape[0], s.rows,
                                                      s.apart ? s.per_segment : 0);
          !wrong.ok())
        return wrong;
    auto* workspace = static_cast<float*>(context.workspace);
    const Buffers buffers(s);
    float *rows = workspace + buffers.x, *dx = workspace + buffers.dx;
    const auto* x = context.in[1].as<float>();
    each_block(
        [&](int64_t block, int64_t place, int64_t size) { std::copy_n(x + block, size, rows + place); });
    std::copy_n(context.in[0].as<float>(), s.rows * s.values, workspace + buffers.y);
    const auto weight = [&](size_t i) { return context.in[1 + i].as<float>(); };
    const auto gradient = [&](size_t i) { return context.out[i].as<float>(); };
    using namespace non_local_roi;
    Math math;
    Steps<Math> steps(
        math, s, workspace,
        {weight(phi_weight), weight(phi_bias), weight(psi_weight), weight(psi_bias), weight(g1_weight),
         weight(g1_bias), weight(g3_weight), weight(g3_bias), weight(w_f)},
        {gradient(phi_weight), gradient(phi_bias), gradient(psi_weight), gradient(psi_bias),
         gradient(g1_weight), gradient(g1_bias), gradient(g3_weight), gradient(g3_bias), gradient(w_f)},
        context.in[1 + segments].as<int32_t>());
    if (Status status = steps.run(); !status.ok()) return status;
    auto* out = context.out[0].as<float>();
    each_block([&](int64_t block, int64_t place, int64_t size) {
      std::copy_n(dx + place, size, out + block);
      std::fill_n(out + block + size, block_ - size, 0.0f);
    });
    return {};
  }

 private:
  // Calls `body` with where each place's channels of a block begin in [K, C / B, P, B] and in [K, P, C], and
  // how many there are.
  template <class Body>
  void each_block(const Body& body) {
    const int64_t places = sizes_.places(), channels = sizes_.channels,
                  blocks = (channels + block_ - 1) / block_;
#pragma omp parallel for
    for (int64_t i = 0; i < sizes_.rows * blocks; ++i) {
      const int64_t k = i / blocks, first = i % blocks * block_;
      for (int64_t p = 0; p < places; ++p)
        body((i * places + p) * block_, (k * places + p) * channels + first,
             std::min<int64_t>(block_, channels - first));
    }
  }

  Sizes sizes_;
  int64_t block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_non_local_roi_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new NonLocalRoiBackward(call, block));
}

}  // namespace nlrcnn::cpu
