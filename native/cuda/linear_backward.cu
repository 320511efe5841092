#include "ops/linear_backward.h"

#include "cuda/gradient_pass.h"

namespace nlrcnn::cuda {
namespace {

using namespace dense_gradients;

// [O, places, C'] as [O, C · places], the weight's own order.
NLRCNN_KERNEL void unpack_columns(Span<const float> from, Span<float> to, int64_t outputs, int64_t channels,
                                  int64_t padded_channels, int64_t places) {
  const int64_t at = global_index();
  if (at >= outputs * channels * places) return;
  const int64_t p = at % places, c = at / places % channels, o = at / places / channels;
  to[at] = from[(o * places + p) * padded_channels + c];
}

class LinearBackward : public Kernel {
 public:
  explicit LinearBackward(const OpCall& call)
      : call_(call), asked_(read_asked(call)), dtype_(call.target.compute) {}

  Status init() {
    const Shape& in = call_.in[x].shape;
    outputs_ = call_.in[weight].shape[0];
    rows_ = in[0];
    columns_ = columns_of(call_.in[x]);
    pass_ = {rows_, outputs_, outputs_, 1, dtype_};
    const size_t size = dtype_size(dtype_);
    const bool dweight = asked_.dweight >= 0;
    masked_ = layouter_.take(masks() && asked_.dresidual < 0 ? rows_ * outputs_ * size : 0);
    partials_ = layouter_.take(pass_.workspace_bytes());
    values_ = layouter_.take(dweight && call_.has(count) ? rows_ * columns_.width() * size : 0);
    packed_ = layouter_.take(dweight && !columns_.plain() ? outputs_ * columns_.width() * sizeof(float) : 0);
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
    const int64_t width = columns_.width(), all = element_count(call_.in[weight].shape);
    if (rows_ == 0) return dweight ? fill_bytes(stream, dweight, 0, all * sizeof(float)) : Status{};
    Gemm g;
    g.transpose_b = false;
    g.tf32 = call_.target.tf32;
    g.n = width;
    if (dx) {
      auto packed = packed_columns(context, weight, outputs_, columns_, dtype_);
      if (!packed.ok()) return packed.status();
      g.m = rows_;
      g.k = outputs_;
      g.a = {from, dtype_, outputs_};
      g.b = {packed.value(), dtype_, width};
      g.d = {dx, dtype_, width};
      if (Status s = gemm(stream, g); !s.ok()) return s;
    }
    if (!dweight) return {};
    void* values = context.in[x].data;
    if (counted) {
      if (Status s = copy_valid(stream, dtype_, values, counted, rows_, width, workspace + values_); !s.ok())
        return s;
      values = workspace + values_;
    }
    void* to = columns_.plain() ? dweight : workspace + packed_;
    g.transpose_a = true;
    g.m = outputs_;
    g.k = rows_;
    g.a = {from, dtype_, outputs_};
    g.b = {values, dtype_, width};
    g.d = {to, DType::f32, width};
    if (Status s = gemm(stream, g); !s.ok() || columns_.plain()) return s;
    return launch(stream, "unpack_columns", grid_of(all), kThreads, unpack_columns,
                  span<const float>(to, outputs_ * width), span<float>(dweight, all), outputs_,
                  columns_.channels, columns_.stored, columns_.places);
  }

 private:
  bool masks() const { return call_.has(y) || call_.has(count); }

  OpCall call_;
  Asked asked_;
  DType dtype_;
  int64_t outputs_ = 0, rows_ = 0;
  Columns columns_{};
  GradientPass pass_;
  Layouter layouter_;
  size_t masked_ = 0, partials_ = 0, values_ = 0, packed_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_linear_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<LinearBackward>(call));
}

}  // namespace nlrcnn::cuda
