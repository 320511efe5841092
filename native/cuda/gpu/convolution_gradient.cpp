#include "cuda/gpu/convolution.h"

#include <algorithm>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace nlrcnn::cuda {
namespace {

class GradientPlan final : public ConvolutionGradientPlan {
 public:
  Status init(Stream& stream, const Convolution& c, bool dx, bool dweight) {
    if (Status s = descriptors_.init(c); !s.ok()) return s;
    if (dx)
      if (Status s = choose_data(stream); !s.ok()) return s;
    return dweight ? choose_filter(stream) : Status{};
  }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(Stream& stream, const ConvolutionGradientData& d) override {
    const float one = 1, zero = 0;
    const auto& [x, y, filter, convolution] = descriptors_;
    if (d.dx) {
      const Status status =
          dnn_status(cudnnConvolutionBackwardData(stream.dnn, &one, filter, d.weight, y, d.grad, convolution,
                                                  data_, d.workspace, workspace_, &zero, x, d.dx),
                     "a convolution's gradient");
      if (!status.ok()) return status;
    }
    if (!d.dweight) return {};
    return dnn_status(
        cudnnConvolutionBackwardFilter(stream.dnn, &one, x, d.x, y, d.grad, convolution, filter_, d.workspace,
                                       workspace_, &zero, filter, d.dweight),
        "a filter's gradient");
  }

 private:
  Status choose_data(Stream& stream) {
    const auto& [x, y, filter, convolution] = descriptors_;
    cudnnConvolutionBwdDataAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
    int count = 0;
    if (cudnnGetConvolutionBackwardDataAlgorithm_v7(stream.dnn, filter, y, convolution, x,
                                                    CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, &count,
                                                    found) != CUDNN_STATUS_SUCCESS)
      count = 0;
    data_ = deterministic(found, count, CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
                          CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
    size_t bytes = 0;
    const Status status = dnn_status(
        cudnnGetConvolutionBackwardDataWorkspaceSize(stream.dnn, filter, y, convolution, x, data_, &bytes),
        "the size of a workspace");
    workspace_ = std::max(workspace_, bytes);
    return status;
  }

  Status choose_filter(Stream& stream) {
    const auto& [x, y, filter, convolution] = descriptors_;
    cudnnConvolutionBwdFilterAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
    int count = 0;
    if (cudnnGetConvolutionBackwardFilterAlgorithm_v7(stream.dnn, x, y, convolution, filter,
                                                      CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, &count,
                                                      found) != CUDNN_STATUS_SUCCESS)
      count = 0;
    filter_ =
        deterministic(found, count, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
                      CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
    size_t bytes = 0;
    const Status status = dnn_status(cudnnGetConvolutionBackwardFilterWorkspaceSize(
                                         stream.dnn, x, y, convolution, filter, filter_, &bytes),
                                     "the size of a workspace");
    workspace_ = std::max(workspace_, bytes);
    return status;
  }

  ConvolutionDescriptors descriptors_;
  cudnnConvolutionBwdDataAlgo_t data_ = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
  cudnnConvolutionBwdFilterAlgo_t filter_ = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
  size_t workspace_ = 0;
};

}  // namespace

Result<std::unique_ptr<ConvolutionGradientPlan>> plan_convolution_gradient(Stream& stream,
                                                                           const Convolution& convolution,
                                                                           bool dx, bool dweight) {
  auto plan = std::make_unique<GradientPlan>();
  if (Status s = plan->init(stream, convolution, dx, dweight); !s.ok()) return s;
  return std::unique_ptr<ConvolutionGradientPlan>(std::move(plan));
}

}  // namespace nlrcnn::cuda
