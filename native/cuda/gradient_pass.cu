#include "cuda/gradient_pass.h"

#include <algorithm>

namespace nlrcnn::cuda {
namespace {

constexpr int64_t kLeastRows = 16, kMostChunks = 1024;

// One thread for each channel, or pack of channels, of a chunk of rows.
template <class T, int kSize>
NLRCNN_KERNEL void pass_chunk(Span<const T> grad, Span<const T> y, Span<const int32_t> count, Span<T> masked,
                              Span<float> partials, int64_t rows, int64_t stored, int64_t per_count,
                              int64_t chunk, int64_t chunks) {
  const int64_t i = global_index() * kSize, c = i % stored, part = i / stored;
  if (part >= chunks) return;
  const int64_t end = (part + 1) * chunk < rows ? (part + 1) * chunk : rows;
  const int64_t valid = rows_of(count, rows / per_count) * per_count;
  float sums[kSize] = {};
  for (int64_t r = part * chunk; r < end; ++r) {
    const int64_t at = r * stored + c;
    Pack<T> g{}, behind{};
    if constexpr (kSize == 1) {
      g.values[0] = grad[at];
      if (y) behind.values[0] = y[at];
    } else {
      g = load_pack(grad, at);
      if (y) behind = load_pack(y, at);
    }
    for (int k = 0; k < kSize; ++k) {
      if (r >= valid || (y && !(to_float(behind.values[k]) > 0))) g.values[k] = from_float<T>(0.0f);
      sums[k] += to_float(g.values[k]);
    }
    if (!masked) continue;
    if constexpr (kSize == 1)
      masked[at] = g.values[0];
    else
      store_pack(masked, at, g);
  }
  if (!partials) return;
  for (int k = 0; k < kSize; ++k) partials[part * stored + c + k] = sums[k];
}

// One warp for each output.
NLRCNN_KERNEL void sum_chunks(Span<const float> partials, Span<float> bias, int64_t outputs, int64_t stored,
                              int64_t chunks) {
  const int64_t o = global_index() / 32;
  const int lane = thread_index() % 32;
  float sum = 0;
  if (o < outputs)
    for (int64_t part = lane; part < chunks; part += 32) sum += partials[part * stored + o];
  sum = warp_sum(sum);
  if (o < outputs && lane == 0) bias[o] = sum;
}

template <class T>
NLRCNN_KERNEL void copy_rows(Span<const T> x, Span<const int32_t> count, Span<T> to, int64_t rows,
                             int64_t width) {
  const int64_t at = global_index();
  if (at >= rows * width) return;
  to[at] = at / width < rows_of(count, rows) ? x[at] : from_float<T>(0.0f);
}

}  // namespace

GradientPass::GradientPass(int64_t rows, int64_t stored, int64_t outputs, int64_t per_count, DType dtype)
    : rows_(rows), stored_(stored), outputs_(outputs), per_count_(per_count), dtype_(dtype) {
  chunk_ = std::max(kLeastRows, ceil_div(rows, kMostChunks));
  chunks_ = ceil_div(rows, chunk_);
}

Status GradientPass::run(Stream& stream, const void* grad, const void* y, Span<const int32_t> count,
                         void* masked, void* bias, void* workspace) const {
  if (rows_ == 0) return bias ? fill_bytes(stream, bias, 0, outputs_ * sizeof(float)) : Status{};
  const int64_t all = rows_ * stored_, parts = chunks_ * stored_;
  const auto partials = span<float>(workspace, parts);
  const Status status = with_type(dtype_, [&](auto type) {
    using T = decltype(type);
    const auto in = [&](const void* data) {
      return data ? span<const T>(const_cast<void*>(data), all) : Span<const T>{};
    };
    const auto out = masked ? span<T>(masked, all) : Span<T>{};
    const auto sums = bias ? partials : Span<float>{};
    constexpr int kSize = Pack<T>::kSize;
    if (stored_ % kSize == 0)
      return launch(stream, "gradient pass", grid_of(parts / kSize), kThreads, pass_chunk<T, kSize>, in(grad),
                    in(y), count, out, sums, rows_, stored_, per_count_, chunk_, chunks_);
    return launch(stream, "gradient pass", grid_of(parts), kThreads, pass_chunk<T, 1>, in(grad), in(y), count,
                  out, sums, rows_, stored_, per_count_, chunk_, chunks_);
  });
  if (!status.ok() || !bias) return status;
  return launch(stream, "bias gradient", grid_of(outputs_ * 32), kThreads, sum_chunks,
                span<const float>(workspace, parts), span<float>(bias, outputs_), outputs_, stored_, chunks_);
}

Status copy_valid(Stream& stream, DType dtype, const void* x, Span<const int32_t> count, int64_t rows,
                  int64_t width, void* to) {
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    return launch(stream, "copy valid", grid_of(rows * width), kThreads, copy_rows<T>,
                  span<const T>(const_cast<void*>(x), rows * width), count, span<T>(to, rows * width), rows,
                  width);
  });
}

}  // namespace nlrcnn::cuda
