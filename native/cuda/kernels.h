#pragma once
#include "cuda/kernel.h"
#include "cuda/library.h"
#include "ops/list.h"

namespace nlrcnn::cuda {

// A kernel for a call's shapes; `stream` is for choosing algorithms.
using Factory = Result<std::unique_ptr<Kernel>> (*)(const OpCall& call, Stream& stream);

#define NLRCNN_DECLARE(op) Result<std::unique_ptr<Kernel>> make_##op(const OpCall& call, Stream& stream);
NLRCNN_OPS(NLRCNN_DECLARE)
#undef NLRCNN_DECLARE
Factory find_kernel(const std::string& name);

inline Stream& stream_of(const RunContext& context) {
  return *static_cast<Stream*>(context.stream);
}

inline constexpr int kBlock = 8;  // channels that activations are rounded up to: 16 bytes of half precision
NLRCNN_HD inline int64_t padded(int64_t channels) {
  return (channels + kBlock - 1) / kBlock * kBlock;
}

template <class T>
Span<T> span(const View& view) {
  if (!view) return {};
  return {static_cast<T*>(view.data), static_cast<size_t>(view.desc->stored_elements(kBlock))};
}
template <class T>
Span<T> span(void* data, int64_t elements) {
  return {static_cast<T*>(data), static_cast<size_t>(elements)};
}
inline Faults faults(const RunContext& context) {
  return span<int32_t>(context.faults, 2);
}

// A map [N, H, W, C] as it lies in memory.
struct Map {
  int64_t n, h, w, c;  // c with padding

  Map() = default;
  explicit Map(const Shape& s) : n(s[0]), h(s[2]), w(s[3]), c(padded(s[1])) {}
  NLRCNN_HD int64_t at(int64_t in, int64_t y, int64_t x) const { return ((in * h + y) * w + x) * c; }
};

// Calls `body` with a value of the dtype's type: body(float{}), body(Half{}) or body(Bfloat16{}).
template <class Body>
Status with_type(DType dtype, Body body) {
  if (dtype == DType::f16) return body(Half{});
  if (dtype == DType::bf16) return body(Bfloat16{});
  return body(float{});
}

// Bytes of a workspace, taken one after the other.
class Layouter {
 public:
  size_t take(size_t bytes) {
    const size_t at = end_;
    end_ += (bytes + 255) / 256 * 256;
    return at;
  }
  size_t bytes() const { return end_; }

 private:
  size_t end_ = 0;
};

// A form of the weights that are `inputs`, kept on the first until one of them changes.
Result<void*> derived(RunContext& context, const std::vector<size_t>& inputs, const std::string& form,
                      size_t bytes, const std::function<Status(void*)>& make);

// weight f32 [O, I, kh, kw] as [O', kh, kw, I'] of `dtype` with O' and I' rounded up, zeros there; `groups`
// spread out to a dense weight.
Result<void*> packed_filter(RunContext& context, size_t input, const Shape& shape, DType dtype,
                            int64_t groups = 1);
// bias f32 [O] as [O'] of `dtype`; null where there is none.
Result<void*> packed_bias(RunContext& context, size_t input, int64_t size, DType dtype);

// How the columns of a linear layer's x lie in memory: [places, stored] with padded channels; row-major x is
// one place.
struct Columns {
  int64_t channels, stored, places;
  int64_t width() const { return places * stored; }
  bool plain() const { return places == 1 && stored == channels; }
};
Columns columns_of(const TensorDesc& x);
// weight f32 [O, C·H·W] as [O, H·W·C'] of `dtype`.
Result<void*> packed_columns(RunContext& context, size_t input, int64_t outputs, const Columns& columns,
                             DType dtype);
// weight f32 [C, O, 2, 2] of a transposed convolution as [4, O', C'] of `dtype`.
Result<void*> packed_transposed(RunContext& context, size_t input, const Shape& shape, DType dtype);

template <class Op>
Result<std::unique_ptr<Kernel>> made(std::unique_ptr<Op> op) {
  if (Status status = op->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(op));
}

}  // namespace nlrcnn::cuda
