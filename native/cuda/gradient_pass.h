#pragma once
#include "cuda/kernels.h"

namespace nlrcnn::cuda {

// What flows back into a layer through its ReLU, count and bias, in one pass over its output's gradient
// [rows, channels].
class GradientPass {
 public:
  // `count` counts groups of `per_count` rows; the bias has `outputs` channels, those stored at least as
  // many.
  GradientPass() = default;
  GradientPass(int64_t rows, int64_t stored, int64_t outputs, int64_t per_count, DType dtype);

  size_t workspace_bytes() const { return chunks_ * stored_ * sizeof(float); }
  // masked: grad where y, if there is one, is positive; zero beyond the count. bias float32 [outputs]: its
  // sum. Either may be null. Sums have one order.
  Status run(Stream& stream, const void* grad, const void* y, Span<const int32_t> count, void* masked,
             void* bias, void* workspace) const;

 private:
  int64_t rows_ = 0, stored_ = 0, outputs_ = 0, per_count_ = 1, chunk_ = 1, chunks_ = 0;
  DType dtype_ = DType::f32;
};

// The rows of x that count, zero beyond: what else lies there must not reach a sum.
Status copy_valid(Stream& stream, DType dtype, const void* x, Span<const int32_t> count, int64_t rows,
                  int64_t width, void* to);

}  // namespace nlrcnn::cuda
