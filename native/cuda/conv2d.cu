#include "ops/conv2d.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// Where only the bias and residual follow, cuDNN needs a bias of some kind.
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
                                          true,
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
    return derived(context, 1, "no bias " + std::to_string(bytes), bytes,
                   [&](void* to) { return fill_bytes(stream_of(context), to, 0, bytes); });
  }

  OpCall call_;
  DType dtype_;
  conv2d::Settings settings_;
  int64_t rows_ = 0, in_ = 0, out_ = 0;
  std::unique_ptr<ConvolutionPlan> plan_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv2d(const OpCall& call, Stream& stream) {
  auto kernel = std::make_unique<Conv2d>(call);
  if (Status s = kernel->init(stream); !s.ok()) return s;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cuda
