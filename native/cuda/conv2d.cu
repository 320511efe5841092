#include "ops/conv2d.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void finish(Span<T> y, Span<const T> residual, Span<const T> bias, int64_t all,
                          int64_t channels, bool relu) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize;
  if (i >= all) return;
  Pack<T> pack = load_pack(Span<const T>(y), i), add{};
  if (residual) add = load_pack(residual, i);
  const Pack<T> shift = load_pack(bias, i % channels);
  for (int k = 0; k < kSize; ++k) {
    float v = to_float(pack.values[k]) + to_float(shift.values[k]);
    if (residual) v += to_float(add.values[k]);
    pack.values[k] = from_float<T>(relu && v < 0 ? 0.0f : v);
  }
  store_pack(y, i, pack);
}

class Conv2d : public Kernel {
 public:
  explicit Conv2d(const OpCall& call) : call_(call), dtype_(call.target.compute) {}

  Status init(Stream& stream) {
    if (Status s = conv2d::read_settings(call_, &settings_); !s.ok()) return s;
    const Map x(call_.in[0].shape), y(call_.out[0].shape);
    const Shape& w = call_.in[1].shape;
    rows_ = y.n * y.h * y.w;
    const bool whole = w[2] == 1 && w[3] == 1 && settings_.stride[0] == 1 && settings_.stride[1] == 1 &&
                       settings_.padding[0] == 0 && settings_.padding[1] == 0;
    in_ = x.c;
    out_ = y.c;
    if (whole || rows_ == 0) return {};
    auto plan = plan_convolution(stream, {dtype_,
                                          x.n,
                                          x.h,
                                          x.w,
                                          x.c,
                                          y.c,
                                          w[2],
                                          w[3],
                                          y.h,
                                          y.w,
                                          {settings_.stride[0], settings_.stride[1]},
                                          {settings_.padding[0], settings_.padding[1]},
                                          {settings_.dilation[0], settings_.dilation[1]},
                                          call_.has(3),
                                          settings_.relu,
                                          call_.target.tf32});
    if (!plan.ok()) return plan.status();
    plan_ = std::move(plan.value());
    return {};
  }

  size_t workspace_bytes() const override { return plan_ ? plan_->workspace_bytes() : 0; }

  Status run(RunContext& context) override {
    if (rows_ == 0) return {};
    Stream& stream = stream_of(context);
    auto weight = packed_filter(context, 1, call_.in[1].shape, dtype_, settings_.groups);
    if (!weight.ok()) return weight.status();
    auto bias = call_.has(2) ? packed_bias(context, 2, call_.in[2].shape[0], dtype_) : zeros(context);
    if (!bias.ok()) return bias.status();
    void* residual = call_.has(3) ? context.in[3].data : nullptr;
    if (plan_)
      return plan_->run(stream, {context.in[0].data, weight.value(), bias.value(), residual,
                                 context.out[0].data, context.workspace});
    // A 1×1 convolution is a matrix product.
    Gemm g;
    g.m = rows_;
    g.n = out_;
    g.k = in_;
    g.a = {context.in[0].data, dtype_, in_};
    g.b = {weight.value(), dtype_, in_};
    g.c = {residual, dtype_, out_};
    g.d = {context.out[0].data, dtype_, out_};
    g.bias = bias.value();
    g.relu = settings_.relu;
    g.tf32 = call_.target.tf32;
    return gemm(stream, g);
  }

 private:
  Result<void*> zeros(RunContext& context) {
    const size_t bytes = out_ * dtype_size(dtype_);
    return derived(context, {1}, "no bias " + std::to_string(bytes), bytes,
                   [&](void* to) { return fill_bytes(stream_of(context), to, 0, bytes); });
  }

  OpCall call_;
  DType dtype_;
  conv2d::Settings settings_;
  int64_t rows_ = 0, in_ = 0, out_ = 0;
  std::unique_ptr<ConvolutionPlan> plan_;
};

}  // namespace

Status finish_convolution(Stream& stream, const Convolution& c, const ConvolutionData& d) {
  const int64_t all = c.n * c.out_h * c.out_w * c.o;
  return with_type(c.dtype, [&](auto type) {
    using T = decltype(type);
    return launch(stream, "conv2d", grid_of(all / Pack<T>::kSize), kThreads, finish<T>, span<T>(d.y, all),
                  span<const T>(const_cast<void*>(d.residual), all),
                  span<const T>(const_cast<void*>(d.bias), c.o), all, c.o, c.relu);
  });
}

Result<std::unique_ptr<Kernel>> make_conv2d(const OpCall& call, Stream& stream) {
  auto kernel = std::make_unique<Conv2d>(call);
  if (Status s = kernel->init(stream); !s.ok()) return s;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cuda
