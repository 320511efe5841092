#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void add_bias(Span<T> d, Span<const T> bias, int64_t rows, int64_t columns, int64_t ld,
                            bool relu) {
  const int64_t i = global_index();
  if (i >= rows * columns) return;
  const int64_t at = i / columns * ld + i % columns;
  const float v = to_float(d[at]) + (bias ? to_float(bias[i % columns]) : 0.0f);
  d[at] = from_float<T>(relu && v < 0 ? 0.0f : v);
}

}  // namespace

Status finish_product(Stream& stream, const Gemm& g) {
  return with_type(g.d.dtype, [&](auto type) {
    using T = decltype(type);
    return launch(stream, "bias of a product", grid_of(g.m * g.n), kThreads, add_bias<T>,
                  span<T>(g.d.data, g.m * g.d.ld), span<const T>(g.bias, g.n), g.m, g.n, g.d.ld, g.relu);
  });
}

}  // namespace nlrcnn::cuda
