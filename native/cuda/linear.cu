#include "ops/linear.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// weight f32 [O, C·H·W] as [O, H·W·C'], the order in which x lies in memory. Rows of x have one place and no
// padding where x is row-major.
template <class T>
NLRCNN_KERNEL void pack_columns(Span<const float> weight, Span<T> to, int64_t outputs, int64_t channels,
                                int64_t padded_channels, int64_t places) {
  const int64_t at = global_index();
  if (at >= outputs * places * padded_channels) return;
  const int64_t c = at % padded_channels, p = at / padded_channels % places,
                o = at / padded_channels / places;
  to[at] = from_float<T>(c < channels ? weight[(o * channels + c) * places + p] : 0.0f);
}

// Adds what has another dtype than the product's own sum can take, then the ReLU.
template <class From, class To>
NLRCNN_KERNEL void accumulate(Span<const From> from, Span<To> to, int64_t size, bool relu) {
  const int64_t i = global_index();
  if (i >= size) return;
  const float v = to_float(to[i]) + to_float(from[i]);
  to[i] = from_float<To>(relu && v < 0 ? 0.0f : v);
}

class Linear : public Kernel {
 public:
  explicit Linear(const OpCall& call) : call_(call) {}

  Status init() {
    outputs_ = call_.in[1].shape[0];
    columns_ = columns_of(call_.in[0]);
    return {};
  }

  Status run(RunContext& context) override {
    const int64_t rows = call_.in[0].shape[0];
    if (rows == 0) return {};
    Stream& stream = stream_of(context);
    const DType dtype = call_.target.compute, out = call_.out[0].dtype;
    const int64_t width = columns_.width();
    auto weight = packed_columns(context, 1, outputs_, columns_, dtype);
    if (!weight.ok()) return weight.status();
    auto bias = call_.has(2) ? packed_bias(context, 2, outputs_, out) : static_cast<void*>(nullptr);
    if (!bias.ok()) return bias.status();
    const bool relu = call_.attrs.flag("relu"), apart = call_.has(3) && dtype != out;
    Gemm g;
    g.m = rows;
    g.n = outputs_;
    g.k = width;
    g.a = {context.in[0].data, dtype, width};
    g.b = {weight.value(), dtype, width};
    g.d = {context.out[0].data, out, outputs_};
    if (call_.has(3) && !apart) g.c = {context.in[3].data, out, outputs_};
    g.bias = bias.value();
    g.relu = relu && !apart;
    g.tf32 = call_.target.tf32;
    if (Status s = gemm(stream, g); !s.ok() || !apart) return s;
    return with_type(dtype, [&](auto type) {
      using T = decltype(type);
      return launch(stream, "linear", grid_of(rows * outputs_), kThreads, accumulate<T, float>,
                    span<const T>(context.in[3]), span<float>(context.out[0]), rows * outputs_, relu);
    });
  }

 private:
  OpCall call_;
  int64_t outputs_ = 0;
  Columns columns_{};
};

}  // namespace

Columns columns_of(const TensorDesc& x) {
  const Shape& s = x.shape;
  if (x.layout == Layout::blocked) return {s[1], padded(s[1]), s[2] * s[3]};
  const int64_t all = element_count(Shape(s.begin() + 1, s.end()));
  return {all, all, 1};
}

Result<void*> packed_columns(RunContext& context, size_t input, int64_t outputs, const Columns& c,
                             DType dtype) {
  const int64_t count = outputs * c.width();
  const std::string key = std::string("columns ") + dtype_name(dtype) + ' ' + std::to_string(c.channels);
  return derived(context, {input}, key, count * dtype_size(dtype), [&](void* to) {
    return with_type(dtype, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "pack_columns", grid_of(count), kThreads, pack_columns<T>,
                    span<const float>(context.in[input]), span<T>(to, count), outputs, c.channels, c.stored,
                    c.places);
    });
  });
}

Result<std::unique_ptr<Kernel>> make_linear(const OpCall& call, Stream&) {
  return made(std::make_unique<Linear>(call));
}

}  // namespace nlrcnn::cuda
