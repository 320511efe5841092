#pragma once
#include "cuda/runtime.h"

// Dense layers and sorting, which libraries do: cuBLASLt, cuDNN and CUB in gpu/, the CPU in emulation/.
namespace nlrcnn::cuda {

struct Matrix {
  void* data = nullptr;
  DType dtype = DType::f32;
  int64_t ld = 0;      // elements from row to row
  int64_t stride = 0;  // elements from one of a batch to the next
};

// Row-major D [m, n] = act(alpha · A [m, k] · B + C + bias [n]) of each of a batch, B given as [k, n] or, as
// weights are, transposed as [n, k]. A and B have one dtype, C, D and bias another or the same.
struct Gemm {
  int64_t batch = 1, m = 0, n = 0, k = 0;
  Matrix a, b, c, d;
  bool transpose_a = false;  // A given as [k, m]
  bool transpose_b = true;
  void* bias = nullptr;
  int64_t bias_stride = 0;
  bool relu = false, tf32 = false;
  float alpha = 1;
};
Status gemm(Stream& stream, const Gemm& g);

// y [N, H', W', O] = act(conv(x [N, H, W, C], weight [O, kh, kw, C]) + residual + bias [O]), all of one
// dtype.
struct Convolution {
  DType dtype;
  int64_t n, h, w, c, o, kh, kw, out_h, out_w;
  int64_t stride[2], padding[2], dilation[2];
  bool residual, relu, tf32;  // there is always a bias
};
struct ConvolutionData {
  const void *x, *weight, *bias, *residual;
  void *y, *workspace;
};
// An algorithm chosen for the shape.
class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  virtual size_t workspace_bytes() const = 0;
  virtual Status run(Stream& stream, const ConvolutionData& data) = 0;
};
// y = act(y + residual + bias) in place, behind a product alone.
Status finish_convolution(Stream& stream, const Convolution& convolution, const ConvolutionData& data);
Result<std::unique_ptr<ConvolutionPlan>> plan_convolution(Stream& stream, const Convolution& convolution);

// Gradients of a convolution without bias, residual and ReLU, of one dtype with it.
struct ConvolutionGradientData {
  const void *x, *weight, *grad;
  void *dx, *dweight, *workspace;
};
class ConvolutionGradientPlan {
 public:
  virtual ~ConvolutionGradientPlan() = default;
  virtual size_t workspace_bytes() const = 0;
  // Those that were planned.
  virtual Status run(Stream& stream, const ConvolutionGradientData& data) = 0;
};
Result<std::unique_ptr<ConvolutionGradientPlan>> plan_convolution_gradient(Stream& stream,
                                                                           const Convolution& convolution,
                                                                           bool dx, bool dweight);

// Rising by bits [first, last) of the keys, each 8 of which take a pass; what these do not tell apart keeps
// its order.
size_t sort_workspace_bytes(int64_t count);
Status sort_keys(Stream& stream, const uint64_t* in, uint64_t* out, int64_t count, int first, int last,
                 void* workspace);

}  // namespace nlrcnn::cuda
