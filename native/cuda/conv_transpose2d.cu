#include "ops/conv_transpose2d.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// weight f32 [C, O, 2, 2] as [4, O', C'].
template <class T>
NLRCNN_KERNEL void pack_taps(Span<const float> weight, Span<T> to, int64_t c, int64_t o, int64_t padded_c,
                             int64_t padded_o) {
  const int64_t at = global_index();
  if (at >= 4 * padded_o * padded_c) return;
  const int64_t i = at % padded_c, j = at / padded_c % padded_o, tap = at / padded_c / padded_o;
  to[at] = from_float<T>(i < c && j < o ? weight[(i * o + j) * 4 + tap] : 0.0f);
}

// taps [places, 4, O'] to [N, 2H, 2W, O'].
template <class T>
NLRCNN_KERNEL void spread(Span<const T> taps, Span<const T> bias, Span<T> out, Map to, bool relu) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= to.n * to.h * to.w * to.c) return;
  const int64_t c = i % to.c, x = i / to.c % to.w, y = i / to.c / to.w % to.h, n = i / to.c / to.w / to.h;
  const int64_t place = (n * (to.h / 2) + y / 2) * (to.w / 2) + x / 2, tap = y % 2 * 2 + x % 2;
  Pack<T> pack = load_pack(taps, (place * 4 + tap) * to.c + c);
  Pack<T> add{};
  if (bias) add = load_pack(bias, c);
  for (int k = 0; k < kSize; ++k) {
    const float v = to_float(pack.values[k]) + (bias ? to_float(add.values[k]) : 0.0f);
    pack.values[k] = from_float<T>(relu && v < 0 ? 0.0f : v);
  }
  store_pack(out, i, pack);
}

// With kernel 2 and stride 2 no two inputs meet: one matrix product makes the four outputs of each place.
class ConvTranspose2d : public Kernel {
 public:
  explicit ConvTranspose2d(const OpCall& call)
      : in_(call.in[0].shape),
        out_(call.out[0].shape),
        weight_(call.in[1].shape),
        target_(call.target),
        relu_(call.attrs.flag("relu")) {
    places_ = in_.n * in_.h * in_.w;
  }
  Status init() { return {}; }

  size_t workspace_bytes() const override { return places_ * 4 * out_.c * dtype_size(target_.compute); }

  Status run(RunContext& context) override {
    if (places_ == 0) return {};
    const DType dtype = target_.compute;
    Stream& stream = stream_of(context);
    auto bias = packed_bias(context, 2, weight_[1], dtype);
    if (!bias.ok()) return bias.status();
    auto taps = packed_transposed(context, 1, weight_, dtype);
    if (!taps.ok()) return taps.status();
    return with_type(dtype, [&](auto type) -> Status {
      using T = decltype(type);
      Gemm g;
      g.m = places_;
      g.n = 4 * out_.c;
      g.k = in_.c;
      g.a = {context.in[0].data, dtype, in_.c};
      g.b = {taps.value(), dtype, in_.c};
      g.d = {context.workspace, dtype, g.n};
      g.tf32 = target_.tf32;
      if (Status s = gemm(stream, g); !s.ok()) return s;
      return launch(stream, "conv_transpose2d", grid_of(4 * places_ * out_.c / Pack<T>::kSize), kThreads,
                    spread<T>, span<const T>(context.workspace, places_ * g.n),
                    span<const T>(bias.value(), out_.c), span<T>(context.out[0]), out_, relu_);
    });
  }

 private:
  Map in_, out_;
  Shape weight_;
  Target target_;
  bool relu_;
  int64_t places_;
};

}  // namespace

Result<void*> packed_transposed(RunContext& context, size_t input, const Shape& s, DType dtype) {
  const int64_t in = padded(s[0]), out = padded(s[1]), count = 4 * out * in;
  return derived(
      context, {input}, std::string("taps ") + dtype_name(dtype), count * dtype_size(dtype), [&](void* to) {
        return with_type(dtype, [&](auto type) {
          using T = decltype(type);
          return launch(stream_of(context), "pack_taps", grid_of(count), kThreads, pack_taps<T>,
                        span<const float>(context.in[input]), span<T>(to, count), s[0], s[1], in, out);
        });
      });
}

Result<std::unique_ptr<Kernel>> make_conv_transpose2d(const OpCall& call, Stream&) {
  return made(std::make_unique<ConvTranspose2d>(call));
}

}  // namespace nlrcnn::cuda
