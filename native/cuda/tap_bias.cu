#include "ops/tap_bias.h"

#include "cuda/tap_bias.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void pack_taps(Span<const float> weight, Span<T> to, int64_t o, int64_t d, int64_t padded_o) {
  const int64_t at = global_index();
  if (at >= 9 * padded_o * d) return;
  const int64_t i = at % d, j = at / d % padded_o, tap = at / d / padded_o;
  to[at] = from_float<T>(j < o ? weight[(j * d + i) * 9 + tap] : 0.0f);
}

// taps [K, 9, O'] to [K, H, W, O']: at each place the sum of those that fall inside.
template <class T>
NLRCNN_KERNEL void spread(Span<const T> taps, Span<const T> bias, Span<const int32_t> count, Span<T> out,
                          Map to) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  const int64_t c = i % to.c, x = i / to.c % to.w, y = i / to.c / to.w % to.h, n = i / to.c / to.w / to.h;
  if (n >= rows_of(count, to.n)) return;
  float sum[kSize] = {};
  if (bias) {
    const Pack<T> pack = load_pack(bias, c);
    for (int k = 0; k < kSize; ++k) sum[k] = to_float(pack.values[k]);
  }
  for (int tap = 0; tap < 9; ++tap) {
    const int64_t sy = y + tap / 3 - 1, sx = x + tap % 3 - 1;
    if (sy < 0 || sy >= to.h || sx < 0 || sx >= to.w) continue;
    const Pack<T> pack = load_pack(taps, (n * 9 + tap) * to.c + c);
    for (int k = 0; k < kSize; ++k) sum[k] += to_float(pack.values[k]);
  }
  Pack<T> pack;
  for (int k = 0; k < kSize; ++k) pack.values[k] = from_float<T>(sum[k]);
  store_pack(out, i, pack);
}

class TapBias : public Kernel {
 public:
  explicit TapBias(const OpCall& call)
      : out_(call.out[0].shape), weight_(call.in[1].shape), target_(call.target) {}
  Status init() { return {}; }

  size_t workspace_bytes() const override { return out_.n * 9 * out_.c * dtype_size(target_.compute); }

  Status run(RunContext& context) override {
    if (out_.n == 0) return {};
    const DType dtype = target_.compute;
    const int64_t inner = weight_[1];
    Stream& stream = stream_of(context);
    auto bias = packed_bias(context, 2, weight_[0], dtype);
    if (!bias.ok()) return bias.status();
    return with_type(dtype, [&](auto type) -> Status {
      using T = decltype(type);
      auto packed = packed_taps(context, 1, weight_, dtype);
      if (!packed.ok()) return packed.status();
      Gemm g;
      g.m = out_.n;
      g.n = 9 * out_.c;
      g.k = inner;
      g.a = {context.in[0].data, dtype, inner};
      g.b = {packed.value(), dtype, inner};
      g.d = {context.workspace, dtype, g.n};
      g.tf32 = target_.tf32;
      if (Status s = gemm(stream, g); !s.ok()) return s;
      return launch(stream, "tap_bias", grid_of(out_.n * out_.h * out_.w * out_.c / Pack<T>::kSize), kThreads,
                    spread<T>, span<const T>(context.workspace, out_.n * g.n),
                    span<const T>(bias.value(), out_.c), span<const int32_t>(context.in[3]),
                    span<T>(context.out[0]), out_);
    });
  }

 private:
  Map out_;
  Shape weight_;
  Target target_;
};

}  // namespace

Result<void*> packed_taps(RunContext& context, size_t input, const Shape& shape, DType dtype) {
  const int64_t all = padded(shape[0]), count = 9 * all * shape[1];
  const std::string key = std::string("taps ") + dtype_name(dtype);
  return derived(context, {input}, key, count * dtype_size(dtype), [&](void* to) {
    return with_type(dtype, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "pack_taps", grid_of(count), kThreads, pack_taps<T>,
                    span<const float>(context.in[input]), span<T>(to, count), shape[0], shape[1], all);
    });
  });
}

Result<std::unique_ptr<Kernel>> make_tap_bias(const OpCall& call, Stream&) {
  return made(std::make_unique<TapBias>(call));
}

}  // namespace nlrcnn::cuda
