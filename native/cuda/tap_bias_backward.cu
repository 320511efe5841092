#include "ops/tap_bias_backward.h"

#include "cuda/tap_bias.h"

namespace nlrcnn::cuda {
namespace {

// grad [K, H, W, O'] to [K, 9, O']: the sum over the places that each tap reaches; zero beyond count. One
// thread for each tap and pack of channels of a row.
template <class T>
NLRCNN_KERNEL void window_sums(Span<const T> grad, Span<const int32_t> count, Span<T> sums, Map from) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  const int64_t c = i % from.c, tap = i / from.c % 9, n = i / from.c / 9;
  if (n >= from.n) return;
  float sum[kSize] = {};
  const int64_t y0 = tap / 3 == 0 ? 1 : 0, y1 = from.h - (tap / 3 == 2 ? 1 : 0);
  const int64_t x0 = tap % 3 == 0 ? 1 : 0, x1 = from.w - (tap % 3 == 2 ? 1 : 0);
  if (n < rows_of(count, from.n))
    for (int64_t y = y0; y < y1; ++y)
      for (int64_t x = x0; x < x1; ++x) {
        const Pack<T> pack = load_pack(grad, from.at(n, y, x) + c);
        for (int k = 0; k < kSize; ++k) sum[k] += to_float(pack.values[k]);
      }
  Pack<T> pack;
  for (int k = 0; k < kSize; ++k) pack.values[k] = from_float<T>(sum[k]);
  store_pack(sums, i, pack);
}

// The middle tap reaches every place.
template <class T>
NLRCNN_KERNEL void sum_bias(Span<const T> sums, Span<float> out, Map from, int64_t channels) {
  const int64_t o = global_index();
  if (o >= channels) return;
  float sum = 0;
  for (int64_t n = 0; n < from.n; ++n) sum += to_float(sums[(n * 9 + 4) * from.c + o]);
  out[o] = sum;
}

// [9, O', D] to [O, D, 9].
NLRCNN_KERNEL void unpack_taps(Span<const float> from, Span<float> to, int64_t o, int64_t d,
                               int64_t padded_o) {
  const int64_t at = global_index();
  if (at >= o * d * 9) return;
  const int64_t tap = at % 9, i = at / 9 % d, j = at / 9 / d;
  to[at] = from[(tap * padded_o + j) * d + i];
}

// Rows beyond count, which products before may have read.
template <class T>
NLRCNN_KERNEL void copy_valid(Span<const T> y, Span<const int32_t> count, Span<T> to, int64_t rows,
                              int64_t width) {
  const int64_t at = global_index();
  if (at >= rows * width) return;
  to[at] = at / width < rows_of(count, rows) ? y[at] : from_float<T>(0.0f);
}

class TapBiasBackward : public Kernel {
 public:
  explicit TapBiasBackward(const OpCall& call)
      : grad_(call.in[0].shape), weight_(call.in[2].shape), counted_(call.has(3)), target_(call.target) {
    Layouter layouter;
    const size_t size = dtype_size(target_.compute);
    sums_ = layouter.take(grad_.n * 9 * grad_.c * size);
    y_ = layouter.take(counted_ ? grad_.n * weight_[1] * size : 0);
    by_tap_ = layouter.take(9 * grad_.c * weight_[1] * sizeof(float));
    workspace_ = layouter.bytes();
  }
  Status init() { return {}; }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(RunContext& context) override {
    const DType dtype = target_.compute;
    const int64_t inner = weight_[1], taps = 9 * grad_.c, all = element_count(weight_);
    Stream& stream = stream_of(context);
    auto* workspace = static_cast<char*>(context.workspace);
    if (grad_.n == 0) {
      if (Status s = fill_bytes(stream, context.out[1].data, 0, all * sizeof(float)); !s.ok()) return s;
      return fill_bytes(stream, context.out[2].data, 0, weight_[0] * sizeof(float));
    }
    auto weight = packed_taps(context, 2, weight_, dtype);
    if (!weight.ok()) return weight.status();
    Status status = with_type(dtype, [&](auto type) -> Status {
      using T = decltype(type);
      const auto sums = span<T>(workspace + sums_, grad_.n * taps);
      const Status summed = launch(stream, "tap_bias_backward", grid_of(grad_.n * taps / Pack<T>::kSize),
                                   kThreads, window_sums<T>, span<const T>(context.in[0]),
                                   span<const int32_t>(context.in[3]), sums, grad_);
      if (!summed.ok()) return summed;
      if (counted_) {
        const Status copied = launch(stream, "copy_valid", grid_of(grad_.n * inner), kThreads, copy_valid<T>,
                                     span<const T>(context.in[1]), span<const int32_t>(context.in[3]),
                                     span<T>(workspace + y_, grad_.n * inner), grad_.n, inner);
        if (!copied.ok()) return copied;
      }
      return launch(stream, "sum_bias", grid_of(weight_[0]), kThreads, sum_bias<T>, Span<const T>(sums),
                    span<float>(context.out[2]), grad_, weight_[0]);
    });
    if (!status.ok()) return status;
    Gemm to_y;
    to_y.m = grad_.n;
    to_y.n = inner;
    to_y.k = taps;
    to_y.a = {workspace + sums_, dtype, taps};
    to_y.b = {weight.value(), dtype, inner};
    to_y.transpose_b = false;
    to_y.d = {context.out[0].data, dtype, inner};
    to_y.tf32 = target_.tf32;
    if (Status s = gemm(stream, to_y); !s.ok()) return s;
    Gemm to_weight;
    to_weight.m = taps;
    to_weight.n = inner;
    to_weight.k = grad_.n;
    to_weight.a = {workspace + sums_, dtype, taps};
    to_weight.transpose_a = true;
    to_weight.b = {counted_ ? workspace + y_ : context.in[1].data, dtype, inner};
    to_weight.transpose_b = false;
    to_weight.d = {workspace + by_tap_, DType::f32, inner};
    to_weight.tf32 = target_.tf32;
    if (Status s = gemm(stream, to_weight); !s.ok()) return s;
    return launch(stream, "unpack_taps", grid_of(all), kThreads, unpack_taps,
                  span<const float>(workspace + by_tap_, taps * inner), span<float>(context.out[1]),
                  weight_[0], inner, grad_.c);
  }

 private:
  Map grad_;
  Shape weight_;
  bool counted_;
  Target target_;
  size_t sums_, y_, by_tap_, workspace_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_tap_bias_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<TapBiasBackward>(call));
}

}  // namespace nlrcnn::cuda
