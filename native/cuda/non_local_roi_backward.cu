#include "ops/non_local_roi_backward.h"

#include "cuda/kernels.h"
#include "ops/non_local_roi_steps.h"

namespace nlrcnn::cuda {
namespace {

using namespace non_local_roi_gradient;

template <class Step>
NLRCNN_KERNEL void apply(Step step, int64_t count) {
  const int64_t i = global_index();
  if (i < count) step(i);
}

template <class Step>
NLRCNN_KERNEL void apply_wide(Step step, int64_t count, int64_t width) {
  const int64_t i = global_index();
  if (i < count) step(i / width, i % width);
}

struct Math {
  using Floats = Span<float>;
  using Ints = Span<int32_t>;

  Stream& stream;
  bool tf32;

  static Floats floats(float* data, int64_t size) { return span<float>(data, size); }
  static Ints ints(const int32_t* data, int64_t size) {
    return span<int32_t>(const_cast<int32_t*>(data), size);
  }

  template <class Step>
  Status each(int64_t count, const Step& step) {
    return launch(stream, "non_local_roi_backward", grid_of(count, 64), 64, apply<Step>, step, count);
  }

  template <class Step>
  Status wide(int64_t rows, int64_t width, const Step& step) {
    return launch(stream, "non_local_roi_backward", grid_of(rows * width, kThreads), kThreads,
                  apply_wide<Step>, step, rows * width, width);
  }

  Status window_sums(const Sizes& s, float* x, float* sums) {
    const int64_t all = s.rows * s.places() * s.channels, out = s.rows * 9 * s.channels;
    return each(out, WindowSums<Floats>{floats(x, all), floats(sums, out), s});
  }
  Status spread_sums(const Sizes& s, float* sums, float* dx) {
    const int64_t all = s.rows * s.places() * s.channels, in = s.rows * 9 * s.channels;
    return each(all, SpreadSums<Floats>{floats(sums, in), floats(dx, all), s});
  }

  Status product(const Product& p) {
    Gemm g;
    g.batch = p.batch;
    g.m = p.m;
    g.n = p.n;
    g.k = p.k;
    g.a = {const_cast<float*>(p.a), DType::f32, p.lda, p.stride_a};
    g.b = {const_cast<float*>(p.b), DType::f32, p.ldb, p.stride_b};
    g.d = {p.d, DType::f32, p.ldd, p.stride_d};
    if (p.add) g.c = g.d;
    g.transpose_a = p.transpose_a;
    g.transpose_b = p.transpose_b;
    g.tf32 = tf32;
    return gemm(stream, g);
  }
};

// x [K, P, D'] of the activations' type as float32 [K, P, D].
template <class T>
NLRCNN_KERNEL void widen(Span<const T> from, Span<float> to, int64_t count, int64_t channels,
                         int64_t padded_channels) {
  const int64_t i = global_index();
  if (i < count) to[i] = to_float(from[i / channels * padded_channels + i % channels]);
}

template <class T>
NLRCNN_KERNEL void narrow(Span<const float> from, Span<T> to, int64_t count, int64_t channels,
                          int64_t padded_channels) {
  const int64_t i = global_index(), c = i % padded_channels;
  if (i < count) to[i] = from_float<T>(c < channels ? from[i / padded_channels * channels + c] : 0.0f);
}

class NonLocalRoiBackward : public Kernel {
 public:
  explicit NonLocalRoiBackward(const OpCall& call)
      : sizes_(sizes_of(non_local_roi_backward::forward_call(call), call.in[0].shape[1])),
        target_(call.target) {}
  Status init() { return {}; }

  size_t workspace_bytes() const override { return Buffers(sizes_).end * sizeof(float); }

  Status run(RunContext& context) override {
    const Sizes& s = sizes_;
    Stream& stream = stream_of(context);
    auto* workspace = static_cast<float*>(context.workspace);
    const Buffers buffers(s);
    const int64_t all = s.rows * s.places(), y = s.rows * s.values;
    Status status = with_type(target_.compute, [&](auto type) {
      using T = decltype(type);
      const Status widened =
          launch(stream, "widen x", grid_of(all * s.channels), kThreads, widen<T>,
                 span<const T>(context.in[1]), span<float>(workspace + buffers.x, all * s.channels),
                 all * s.channels, s.channels, padded(s.channels));
      if (!widened.ok()) return widened;
      return launch(stream, "widen grad", grid_of(y), kThreads, widen<T>, span<const T>(context.in[0]),
                    span<float>(workspace + buffers.y, y), y, s.values, s.values);
    });
    if (!status.ok()) return status;
    const auto weight = [&](size_t i) { return context.in[1 + i].as<float>(); };
    const auto gradient = [&](size_t i) { return context.out[i].as<float>(); };
    using namespace non_local_roi;
    Math math{stream, target_.tf32 || target_.compute != DType::f32};
    Steps<Math> steps(
        math, s, workspace,
        {weight(phi_weight), weight(phi_bias), weight(psi_weight), weight(psi_bias), weight(g1_weight),
         weight(g1_bias), weight(g3_weight), weight(g3_bias), weight(w_f)},
        {gradient(phi_weight), gradient(phi_bias), gradient(psi_weight), gradient(psi_bias),
         gradient(g1_weight), gradient(g1_bias), gradient(g3_weight), gradient(g3_bias), gradient(w_f)},
        context.in[1 + segments].as<int32_t>());
    status = steps.run();
    if (!status.ok()) return status;
    return with_type(target_.compute, [&](auto type) {
      using T = decltype(type);
      return launch(stream, "narrow dx", grid_of(all * padded(s.channels)), kThreads, narrow<T>,
                    span<const float>(workspace + buffers.dx, all * s.channels), span<T>(context.out[0]),
                    all * padded(s.channels), s.channels, padded(s.channels));
    });
  }

 private:
  Sizes sizes_;
  Target target_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_non_local_roi_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<NonLocalRoiBackward>(call));
}

}  // namespace nlrcnn::cuda
