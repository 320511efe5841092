#pragma once
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include <map>

#include "cuda/library.h"

namespace nlrcnn::cuda {

inline constexpr size_t kGemmWorkspace = size_t{32} << 20;

struct Stream {
  cudaStream_t handle = nullptr;
  cublasLtHandle_t blas = nullptr;
  cudnnHandle_t dnn = nullptr;
  std::shared_ptr<Storage> gemm_workspace;
  // Algorithms by shape, chosen when a shape is first seen.
  std::map<std::string, cublasLtMatmulAlgo_t> gemm_algorithms;
  bool capturing = false;
};

// D = act(D + bias), of a product whose batch is 1.
Status finish_product(Stream& stream, const Gemm& g);

// A CUDA error as a status; "too much memory" as Code::out_of_memory.
Status cuda_status(cudaError_t error, const char* what);

}  // namespace nlrcnn::cuda
