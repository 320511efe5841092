#include "cuda/gpu/stream.h"
#include "cuda/library.h"

namespace nlrcnn::cuda {
namespace {

cudaDataType_t data_type(DType dtype) {
  return dtype == DType::f16 ? CUDA_R_16F : dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

Status lt_status(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return {};
  const Code code = status == CUBLAS_STATUS_ALLOC_FAILED ? Code::out_of_memory : Code::device;
  return Status::error(code,
                       std::string("cuBLASLt failed at ") + what + ": " + cublasLtGetStatusString(status));
}

// Descriptors that live for one call.
struct Descriptors {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t left = nullptr, right = nullptr, c = nullptr, d = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;

  ~Descriptors() {
    if (operation) cublasLtMatmulDescDestroy(operation);
    for (auto layout : {left, right, c, d})
      if (layout) cublasLtMatrixLayoutDestroy(layout);
    if (preference) cublasLtMatmulPreferenceDestroy(preference);
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, T value) {
    cublasLtMatmulDescSetAttribute(operation, name, &value, sizeof value);
  }
};

cublasLtMatrixLayout_t layout(const Matrix& matrix, int64_t columns, int64_t rows, int64_t batch) {
  // Row-major [rows, columns] is column-major [columns, rows].
  cublasLtMatrixLayout_t out = nullptr;
  cublasLtMatrixLayoutCreate(&out, data_type(matrix.dtype), columns, rows, matrix.ld);
  const int32_t count = static_cast<int32_t>(batch);
  cublasLtMatrixLayoutSetAttribute(out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
  cublasLtMatrixLayoutSetAttribute(out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &matrix.stride,
                                   sizeof matrix.stride);
  return out;
}

uint32_t alignment_of(const void* data) {
  uint32_t alignment = 256;
  while (alignment > 1 && reinterpret_cast<uintptr_t>(data) % alignment) alignment /= 2;
  return alignment;
}

std::string key_of(const Gemm& g) {
  std::string key;
  for (int64_t v : {g.batch,
                    g.m,
                    g.n,
                    g.k,
                    g.a.ld,
                    g.a.stride,
                    g.b.ld,
                    g.b.stride,
                    g.c.ld,
                    g.d.ld,
                    g.d.stride,
                    int64_t(g.a.dtype),
                    int64_t(g.d.dtype),
                    int64_t(g.transpose_a),
                    int64_t(g.transpose_b),
                    int64_t(g.bias ? alignment_of(g.bias) : 0),
                    g.bias_stride,
                    int64_t(g.c.data ? alignment_of(g.c.data) : 0),
                    int64_t(g.relu),
                    int64_t(g.tf32),
                    int64_t(alignment_of(g.a.data)),
                    int64_t(alignment_of(g.b.data)),
                    int64_t(alignment_of(g.d.data))})
    key += std::to_string(v) + ' ';
  return key;
}

// Where no algorithm takes the batch at once.
Status one_by_one(Stream& stream, const Gemm& g) {
  const auto at = [](void* data, DType dtype, int64_t elements) -> void* {
    return data ? static_cast<char*>(data) + elements * static_cast<int64_t>(dtype_size(dtype)) : nullptr;
  };
  for (int64_t b = 0; b < g.batch; ++b) {
    Gemm one = g;
    one.batch = 1;
    for (Matrix* m : {&one.a, &one.b, &one.c, &one.d}) m->data = at(m->data, m->dtype, b * m->stride);
    one.bias = at(g.bias, g.d.dtype, b * g.bias_stride);
    if (Status s = gemm(stream, one); !s.ok()) return s;
  }
  return {};
}

// What is left of a product without factors.
Status empty_product(Stream& stream, const Gemm& g) {
  if (g.bias || g.relu || (g.c.data && g.c.data != g.d.data))
    return Status::error(Code::unsupported, "Expected a product over at least one column");
  if (g.c.data) return {};
  const size_t size = dtype_size(g.d.dtype);
  for (int64_t b = 0; b < g.batch; ++b) {
    void* to = static_cast<char*>(g.d.data) + b * g.d.stride * static_cast<int64_t>(size);
    const cudaError_t error = cudaMemset2DAsync(to, g.d.ld * size, 0, g.n * size, g.m, stream.handle);
    if (error != cudaSuccess) return cuda_status(error, "cudaMemset2DAsync");
  }
  return {};
}

// Where no algorithm takes the bias and the ReLU: these apart.
Status in_two_steps(Stream& stream, const Gemm& g) {
  Gemm product = g;
  product.bias = nullptr;
  product.relu = false;
  if (Status s = gemm(stream, product); !s.ok()) return s;
  return finish_product(stream, g);
}

}  // namespace

// In cuBLAS's column-major terms Dᵀ = op(B)·op(A): its left factor is our B.
Status gemm(Stream& stream, const Gemm& g) {
  if (g.m == 0 || g.n == 0 || g.batch == 0) return {};
  if (g.k == 0) return empty_product(stream, g);
  Descriptors d;
  const auto compute = g.tf32 && g.a.dtype == DType::f32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  if (Status s = lt_status(cublasLtMatmulDescCreate(&d.operation, compute, CUDA_R_32F), "a descriptor");
      !s.ok())
    return s;
  d.set(CUBLASLT_MATMUL_DESC_TRANSA, g.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  d.set(CUBLASLT_MATMUL_DESC_TRANSB, g.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  const cublasLtEpilogue_t epilogue = g.bias   ? g.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS
                                      : g.relu ? CUBLASLT_EPILOGUE_RELU
                                               : CUBLASLT_EPILOGUE_DEFAULT;
  d.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
  if (g.bias) {
    d.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, g.bias);
    d.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(g.d.dtype));
    if (g.batch > 1) d.set(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, g.bias_stride);
  }
  d.left = g.transpose_b ? layout(g.b, g.k, g.n, g.batch) : layout(g.b, g.n, g.k, g.batch);
  d.right = g.transpose_a ? layout(g.a, g.m, g.k, g.batch) : layout(g.a, g.k, g.m, g.batch);
  d.d = layout(g.d, g.n, g.m, g.batch);
  d.c = g.c.data ? layout(g.c, g.n, g.m, g.batch) : layout(g.d, g.n, g.m, g.batch);

  const std::string key = key_of(g);
  auto known = stream.gemm_algorithms.find(key);
  if (known == stream.gemm_algorithms.end()) {
    cublasLtMatmulPreferenceCreate(&d.preference);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
      cublasLtMatmulPreferenceSetAttribute(d.preference, name, &value, sizeof value);
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kGemmWorkspace);
    // Parts of a sum stay in float32 until they are added.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(g.b.data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(g.a.data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(g.c.data ? g.c.data : g.d.data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(g.d.data));
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const cublasStatus_t chosen = cublasLtMatmulAlgoGetHeuristic(stream.blas, d.operation, d.left, d.right,
                                                                 d.c, d.d, d.preference, 1, &found, &count);
    if (chosen != CUBLAS_STATUS_SUCCESS && chosen != CUBLAS_STATUS_NOT_SUPPORTED)
      return lt_status(chosen, "choosing an algorithm");
    if (chosen != CUBLAS_STATUS_SUCCESS || found.state != CUBLAS_STATUS_SUCCESS) count = 0;
    if (count == 0 && g.batch > 1) return one_by_one(stream, g);
    if (count == 0 && (g.bias || g.relu)) return in_two_steps(stream, g);
    if (count == 0)
      return Status::error(Code::device, "cuBLASLt has no algorithm for a product of " + std::to_string(g.m) +
                                             " x " + std::to_string(g.k) + " x " + std::to_string(g.n));
    known = stream.gemm_algorithms.emplace(key, found.algo).first;
  }
  const float beta = g.c.data ? 1.0f : 0.0f;
  return lt_status(cublasLtMatmul(stream.blas, d.operation, &g.alpha, g.b.data, d.left, g.a.data, d.right,
                                  &beta, g.c.data ? g.c.data : g.d.data, d.c, g.d.data, d.d, &known->second,
                                  stream.gemm_workspace->data(), kGemmWorkspace, stream.handle),
                   "a matrix product");
}

}  // namespace nlrcnn::cuda
