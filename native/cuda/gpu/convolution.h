#pragma once
#include "cuda/gpu/stream.h"
#include "cuda/library.h"

namespace nlrcnn::cuda {

inline constexpr size_t kMostConvolutionWorkspace = size_t{256} << 20;

cudnnDataType_t dnn_type(DType dtype);
Status dnn_status(cudnnStatus_t status, const char* what);

// cuDNN's descriptors of a convolution, all NHWC.
struct ConvolutionDescriptors {
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t filter = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;

  ConvolutionDescriptors() = default;
  ConvolutionDescriptors(const ConvolutionDescriptors&) = delete;
  ConvolutionDescriptors& operator=(const ConvolutionDescriptors&) = delete;
  ~ConvolutionDescriptors();
  Status init(const Convolution& c);
};

// The fastest by cuDNN's own reckoning (which comes first) that is deterministic and asks for little memory,
// else `fallback`.
template <class Performance, class Algorithm>
Algorithm deterministic(const Performance* found, int count, Algorithm fft, Algorithm fft_tiling,
                        Algorithm fallback) {
  for (int i = 0; i < count; ++i)
    if (found[i].status == CUDNN_STATUS_SUCCESS && found[i].determinism == CUDNN_DETERMINISTIC &&
        found[i].memory <= kMostConvolutionWorkspace && found[i].algo != fft && found[i].algo != fft_tiling)
      return found[i].algo;
  return fallback;
}

}  // namespace nlrcnn::cuda
