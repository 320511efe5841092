#include "cuda/gpu/stream.h"
#include "cuda/library.h"

// cuDNN's legacy interface warns that it is one; it has what is needed here in a tenth of the code.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace nlrcnn::cuda {
namespace {

constexpr size_t kMostWorkspace = size_t{256} << 20;

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::f16    ? CUDNN_DATA_HALF
         : dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16
                                : CUDNN_DATA_FLOAT;
}

Status dnn_status(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return {};
  return Status::error(Code::device,
                       std::string("cuDNN failed at ") + what + ": " + cudnnGetErrorString(status));
}

class Plan final : public ConvolutionPlan {
 public:
  explicit Plan(const Convolution& c) : c_(c) {}
  ~Plan() override {
    for (auto tensor : {x_, y_, bias_})
      if (tensor) cudnnDestroyTensorDescriptor(tensor);
    if (filter_) cudnnDestroyFilterDescriptor(filter_);
    if (convolution_) cudnnDestroyConvolutionDescriptor(convolution_);
    if (activation_) cudnnDestroyActivationDescriptor(activation_);
  }

  Status init(Stream& stream) {
    const auto type = data_type(c_.dtype);
    const auto i = [](int64_t v) { return static_cast<int>(v); };
    for (auto* tensor : {&x_, &y_, &bias_}) cudnnCreateTensorDescriptor(tensor);
    cudnnCreateFilterDescriptor(&filter_);
    cudnnCreateConvolutionDescriptor(&convolution_);
    cudnnCreateActivationDescriptor(&activation_);
    const auto nhwc = CUDNN_TENSOR_NHWC;
    for (cudnnStatus_t status :
         {cudnnSetTensor4dDescriptor(x_, nhwc, type, i(c_.n), i(c_.c), i(c_.h), i(c_.w)),
          cudnnSetTensor4dDescriptor(y_, nhwc, type, i(c_.n), i(c_.o), i(c_.out_h), i(c_.out_w)),
          cudnnSetTensor4dDescriptor(bias_, nhwc, type, 1, i(c_.o), 1, 1),
          cudnnSetFilter4dDescriptor(filter_, type, nhwc, i(c_.o), i(c_.c), i(c_.kh), i(c_.kw)),
          cudnnSetConvolution2dDescriptor(convolution_, i(c_.padding[0]), i(c_.padding[1]), i(c_.stride[0]),
                                          i(c_.stride[1]), i(c_.dilation[0]), i(c_.dilation[1]),
                                          CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          cudnnSetConvolutionMathType(
              convolution_, c_.dtype != DType::f32 || c_.tf32 ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH),
          cudnnSetActivationDescriptor(activation_,
                                       c_.relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
                                       CUDNN_NOT_PROPAGATE_NAN, 0)})
      if (Status s = dnn_status(status, "a descriptor"); !s.ok()) return s;
    return choose(stream);
  }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(Stream& stream, const ConvolutionData& d) override {
    const float one = 1, zero = 0;
    if (fused_) {
      const cudnnStatus_t status = cudnnConvolutionBiasActivationForward(
          stream.dnn, &one, x_, d.x, filter_, d.weight, convolution_, algorithm_, d.workspace, workspace_,
          c_.residual ? &one : &zero, y_, c_.residual ? d.residual : d.y, bias_, d.bias, activation_, y_,
          d.y);
      if (status == CUDNN_STATUS_SUCCESS || stream.capturing) return dnn_status(status, "a convolution");
      fused_ = false;  // not for this shape and precision: the two steps apart
    }
    const Status status =
        dnn_status(cudnnConvolutionForward(stream.dnn, &one, x_, d.x, filter_, d.weight, convolution_,
                                           algorithm_, d.workspace, workspace_, &zero, y_, d.y),
                   "a convolution");
    return status.ok() ? finish_convolution(stream, c_, d) : status;
  }

 private:
  // The fastest by cuDNN's own reckoning that is deterministic. Without ReLU the fused call takes one
  // algorithm alone.
  Status choose(Stream& stream) {
    const auto precomputed = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    algorithm_ = precomputed;
    cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    int count = 0;
    if (c_.relu && cudnnGetConvolutionForwardAlgorithm_v7(stream.dnn, x_, filter_, convolution_, y_,
                                                          CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count,
                                                          found) == CUDNN_STATUS_SUCCESS)
      for (int i = count - 1; i >= 0; --i)
        if (found[i].status == CUDNN_STATUS_SUCCESS && found[i].determinism == CUDNN_DETERMINISTIC &&
            found[i].memory <= kMostWorkspace && found[i].algo != CUDNN_CONVOLUTION_FWD_ALGO_FFT &&
            found[i].algo != CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING)
          algorithm_ = found[i].algo;
    return dnn_status(cudnnGetConvolutionForwardWorkspaceSize(stream.dnn, x_, filter_, convolution_, y_,
                                                              algorithm_, &workspace_),
                      "the size of a workspace");
  }

  Convolution c_;
  cudnnTensorDescriptor_t x_ = nullptr, y_ = nullptr, bias_ = nullptr;
  cudnnFilterDescriptor_t filter_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  cudnnActivationDescriptor_t activation_ = nullptr;
  cudnnConvolutionFwdAlgo_t algorithm_;
  size_t workspace_ = 0;
  bool fused_ = true;
};

}  // namespace

Result<std::unique_ptr<ConvolutionPlan>> plan_convolution(Stream& stream, const Convolution& convolution) {
  auto plan = std::make_unique<Plan>(convolution);
  if (Status s = plan->init(stream); !s.ok()) return s;
  return std::unique_ptr<ConvolutionPlan>(std::move(plan));
}

}  // namespace nlrcnn::cuda
