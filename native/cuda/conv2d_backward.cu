#include "ops/conv2d_backward.h"

#include "cuda/gradient_pass.h"

namespace nlrcnn::cuda {
namespace {

using namespace dense_gradients;

// [O', kh, kw, I'] as float32 [O, I, kh, kw], of each output the channels of its group.
template <class T>
NLRCNN_KERNEL void unpack_filter(Span<const T> from, Span<float> to, int64_t outputs, int64_t inputs,
                                 int64_t kh, int64_t kw, int64_t groups, int64_t padded_inputs) {
  const int64_t at = global_index();
  if (at >= outputs * inputs * kh * kw) return;
  const int64_t kx = at % kw, ky = at / kw % kh, i = at / kw / kh % inputs, o = at / kw / kh / inputs;
  const int64_t first = o / (outputs / groups) * inputs;
  to[at] = to_float(from[((o * kh + ky) * kw + kx) * padded_inputs + first + i]);
}

class Conv2dBackward : public Kernel {
 public:
  explicit Conv2dBackward(const OpCall& call)
      : call_(call),
        asked_(read_asked(call)),
        dtype_(call.target.compute),
        in_(call.in[x].shape),
        out_(call.in[grad].shape) {}

  Status init(Stream& stream) {
    conv2d::Settings s;
    if (Status status = conv2d::read_settings(call_, &s); !status.ok()) return status;
    groups_ = s.groups;
    const Shape& w = call_.in[weight].shape;
    rows_ = out_.n * out_.h * out_.w;
    pass_ = {rows_, out_.c, w[0], out_.h * out_.w, dtype_};
    product_ = w[2] == 1 && w[3] == 1 && s.stride[0] == 1 && s.stride[1] == 1 && s.padding[0] == 0 &&
               s.padding[1] == 0;
    const size_t size = dtype_size(dtype_);
    const bool dweight = asked_.dweight >= 0;
    masked_ = layouter_.take(masks() && asked_.dresidual < 0 ? rows_ * out_.c * size : 0);
    partials_ = layouter_.take(pass_.workspace_bytes());
    values_ = layouter_.take(dweight && call_.has(count) ? in_.n * in_.h * in_.w * in_.c * size : 0);
    packed_ = layouter_.take(dweight ? out_.c * w[2] * w[3] * in_.c * (product_ ? sizeof(float) : size) : 0);
    if (product_ || rows_ == 0 || (asked_.dx < 0 && !dweight)) return {};
    const Convolution convolution{dtype_,
                                  in_.n,
                                  in_.h,
                                  in_.w,
                                  in_.c,
                                  out_.c,
                                  w[2],
                                  w[3],
                                  out_.h,
                                  out_.w,
                                  {s.stride[0], s.stride[1]},
                                  {s.padding[0], s.padding[1]},
                                  {s.dilation[0], s.dilation[1]},
                                  false,
                                  false,
                                  call_.target.tf32};
    auto plan = plan_convolution_gradient(stream, convolution, asked_.dx >= 0, dweight);
    if (!plan.ok()) return plan.status();
    plan_ = std::move(plan.value());
    scratch_ = layouter_.take(plan_->workspace_bytes());
    return {};
  }

  size_t workspace_bytes() const override { return layouter_.bytes(); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    char* workspace = static_cast<char*>(context.workspace);
    const auto output = [&](int i) { return i < 0 ? nullptr : context.out[i].data; };
    void *dx = output(asked_.dx), *dweight = output(asked_.dweight), *dbias = output(asked_.dbias);
    void *from = context.in[grad].data, *masked = output(asked_.dresidual);
    const auto counted = span<const int32_t>(context.in[count]);
    if (masks() && !masked) masked = workspace + masked_;
    if (masks() || dbias)
      if (Status s =
              pass_.run(stream, from, context.in[y].data, counted, masked, dbias, workspace + partials_);
          !s.ok())
        return s;
    if (masks()) from = masked;
    const Shape& w = call_.in[weight].shape;
    if (rows_ == 0)
      return dweight ? fill_bytes(stream, dweight, 0, element_count(w) * sizeof(float)) : Status{};
    if (!dx && !dweight) return {};
    void *values = context.in[x].data, *filter = nullptr, *packed = dweight ? workspace + packed_ : nullptr;
    if (dweight && counted) {
      const int64_t row = in_.h * in_.w * in_.c;
      if (Status s = copy_valid(stream, dtype_, values, counted, in_.n, row, workspace + values_); !s.ok())
        return s;
      values = workspace + values_;
    }
    if (dx) {
      auto made = packed_filter(context, weight, w, dtype_, groups_);
      if (!made.ok()) return made.status();
      filter = made.value();
    }
    const Status status = product_
                              ? products(stream, from, values, filter, dx, packed)
                              : plan_->run(stream, {values, filter, from, dx, packed, workspace + scratch_});
    if (!status.ok() || !dweight) return status;
    return with_type(product_ ? DType::f32 : dtype_, [&](auto type) {
      using T = decltype(type);
      return launch(stream, "unpack_filter", grid_of(element_count(w)), kThreads, unpack_filter<T>,
                    span<const T>(packed, out_.c * w[2] * w[3] * in_.c),
                    span<float>(context.out[asked_.dweight]), w[0], w[1], w[2], w[3], groups_, in_.c);
    });
  }

 private:
  bool masks() const { return call_.has(y) || call_.has(count); }

  // Of a 1×1 convolution: dx = grad · W and dW = gradᵀ · x.
  Status products(Stream& stream, void* from, void* values, void* filter, void* dx, void* dweight) const {
    Gemm g;
    g.transpose_b = false;
    g.tf32 = call_.target.tf32;
    g.n = in_.c;
    if (dx) {
      g.m = rows_;
      g.k = out_.c;
      g.a = {from, dtype_, out_.c};
      g.b = {filter, dtype_, in_.c};
      g.d = {dx, dtype_, in_.c};
      if (Status s = gemm(stream, g); !s.ok()) return s;
    }
    if (!dweight) return {};
    g.transpose_a = true;
    g.m = out_.c;
    g.k = rows_;
    g.a = {from, dtype_, out_.c};
    g.b = {values, dtype_, in_.c};
    g.d = {dweight, DType::f32, in_.c};
    return gemm(stream, g);
  }

  OpCall call_;
  Asked asked_;
  DType dtype_;
  Map in_, out_;
  int64_t groups_ = 1, rows_ = 0;
  bool product_ = false;
  GradientPass pass_;
  Layouter layouter_;
  size_t masked_ = 0, partials_ = 0, values_ = 0, packed_ = 0, scratch_ = 0;
  std::unique_ptr<ConvolutionGradientPlan> plan_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv2d_backward(const OpCall& call, Stream& stream) {
  auto kernel = std::make_unique<Conv2dBackward>(call);
  if (Status s = kernel->init(stream); !s.ok()) return s;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cuda
