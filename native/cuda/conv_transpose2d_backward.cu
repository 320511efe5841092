#include "ops/conv_transpose2d_backward.h"

#include "cuda/gradient_pass.h"

namespace nlrcnn::cuda {
namespace {

using namespace dense_gradients;

// [N, 2H, 2W, O'] to [N · H · W, 4, O'], what the ReLU lets through of the images that count.
template <class T>
NLRCNN_KERNEL void gather(Span<const T> grad, Span<const T> y, Span<const int32_t> count, Span<T> taps,
                          Map from) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= from.n * from.h * from.w * from.c) return;
  const int64_t c = i % from.c, col = i / from.c % from.w, row = i / from.c / from.w % from.h,
                n = i / from.c / from.w / from.h;
  const int64_t place = (n * (from.h / 2) + row / 2) * (from.w / 2) + col / 2, tap = row % 2 * 2 + col % 2;
  Pack<T> pack = load_pack(grad, i), behind{};
  if (y) behind = load_pack(y, i);
  const bool valid = n < rows_of(count, from.n);
  for (int k = 0; k < kSize; ++k)
    if (!valid || (y && !(to_float(behind.values[k]) > 0))) pack.values[k] = from_float<T>(0.0f);
  store_pack(taps, (place * 4 + tap) * from.c + c, pack);
}

// [4, O', C'] to [C, O, 2, 2].
NLRCNN_KERNEL void unpack_taps(Span<const float> from, Span<float> to, int64_t c, int64_t o, int64_t padded_c,
                               int64_t padded_o) {
  const int64_t at = global_index();
  if (at >= c * o * 4) return;
  const int64_t tap = at % 4, j = at / 4 % o, i = at / 4 / o;
  to[at] = from[(tap * padded_o + j) * padded_c + i];
}

class ConvTranspose2dBackward : public Kernel {
 public:
  explicit ConvTranspose2dBackward(const OpCall& call)
      : call_(call),
        asked_(read_asked(call)),
        in_(call.in[x].shape),
        out_(call.in[grad].shape),
        weight_(call.in[weight].shape),
        dtype_(call.target.compute) {}

  Status init() {
    places_ = in_.n * in_.h * in_.w;
    pass_ = {4 * places_, out_.c, weight_[1], 1, dtype_};
    const bool dweight = asked_.dweight >= 0;
    const size_t size = dtype_size(dtype_);
    taps_ = layouter_.take(4 * places_ * out_.c * size);
    partials_ = layouter_.take(pass_.workspace_bytes());
    values_ = layouter_.take(dweight && call_.has(count) ? places_ * in_.c * size : 0);
    packed_ = layouter_.take(dweight ? 4 * out_.c * in_.c * sizeof(float) : 0);
    return {};
  }

  size_t workspace_bytes() const override { return layouter_.bytes(); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    char* workspace = static_cast<char*>(context.workspace);
    const auto output = [&](int i) { return i < 0 ? nullptr : context.out[i].data; };
    void *dx = output(asked_.dx), *dweight = output(asked_.dweight), *dbias = output(asked_.dbias);
    void* taps = workspace + taps_;
    const auto counted = span<const int32_t>(context.in[count]);
    const int64_t all = 4 * places_ * out_.c;
    if (places_ > 0) {
      const Status status = with_type(dtype_, [&](auto type) {
        using T = decltype(type);
        return launch(stream, "gather taps", grid_of(all / Pack<T>::kSize), kThreads, gather<T>,
                      span<const T>(context.in[grad]), span<const T>(context.in[y]), counted,
                      span<T>(taps, all), out_);
      });
      if (!status.ok()) return status;
    }
    if (dbias)
      if (Status s = pass_.run(stream, taps, nullptr, {}, nullptr, dbias, workspace + partials_); !s.ok())
        return s;
    const int64_t size = element_count(weight_);
    if (places_ == 0) return dweight ? fill_bytes(stream, dweight, 0, size * sizeof(float)) : Status{};
    Gemm g;
    g.transpose_b = false;
    g.tf32 = call_.target.tf32;
    g.n = in_.c;
    if (dx) {
      auto packed = packed_transposed(context, weight, weight_, dtype_);
      if (!packed.ok()) return packed.status();
      g.m = places_;
      g.k = 4 * out_.c;
      g.a = {taps, dtype_, 4 * out_.c};
      g.b = {packed.value(), dtype_, in_.c};
      g.d = {dx, dtype_, in_.c};
      if (Status s = gemm(stream, g); !s.ok()) return s;
    }
    if (!dweight) return {};
    void* values = context.in[x].data;
    if (counted) {
      const int64_t row = in_.h * in_.w * in_.c;
      if (Status s = copy_valid(stream, dtype_, values, counted, in_.n, row, workspace + values_); !s.ok())
        return s;
      values = workspace + values_;
    }
    g.transpose_a = true;
    g.m = 4 * out_.c;
    g.k = places_;
    g.a = {taps, dtype_, 4 * out_.c};
    g.b = {values, dtype_, in_.c};
    g.d = {workspace + packed_, DType::f32, in_.c};
    if (Status s = gemm(stream, g); !s.ok()) return s;
    return launch(stream, "unpack_taps", grid_of(size), kThreads, unpack_taps,
                  span<const float>(workspace + packed_, 4 * out_.c * in_.c), span<float>(dweight, size),
                  weight_[0], weight_[1], in_.c, out_.c);
  }

 private:
  OpCall call_;
  Asked asked_;
  Map in_, out_;
  Shape weight_;
  DType dtype_;
  int64_t places_ = 0;
  GradientPass pass_;
  Layouter layouter_;
  size_t taps_ = 0, partials_ = 0, values_ = 0, packed_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv_transpose2d_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<ConvTranspose2dBackward>(call));
}

}  // namespace nlrcnn::cuda
