#include "cuda/gpu/convolution.h"

#include <algorithm>
#include <vector>

// cuDNN's legacy interface warns that it is one; it has what is needed here in a tenth of the code.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace nlrcnn::cuda {

cudnnDataType_t dnn_type(DType dtype) {
  return dtype == DType::f16    ? CUDNN_DATA_HALF
         : dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16
                                : CUDNN_DATA_FLOAT;
}

Status dnn_status(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return {};
  return Status::error(Code::device,
                       std::string("cuDNN failed at ") + what + ": " + cudnnGetErrorString(status));
}

ConvolutionDescriptors::~ConvolutionDescriptors() {
  for (auto tensor : {x, y})
    if (tensor) cudnnDestroyTensorDescriptor(tensor);
  if (filter) cudnnDestroyFilterDescriptor(filter);
  if (convolution) cudnnDestroyConvolutionDescriptor(convolution);
}

Status ConvolutionDescriptors::init(const Convolution& c) {
  const auto type = dnn_type(c.dtype);
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  for (auto* tensor : {&x, &y}) cudnnCreateTensorDescriptor(tensor);
  cudnnCreateFilterDescriptor(&filter);
  cudnnCreateConvolutionDescriptor(&convolution);
  const auto nhwc = CUDNN_TENSOR_NHWC;
  for (cudnnStatus_t status :
       {cudnnSetTensor4dDescriptor(x, nhwc, type, i(c.n), i(c.c), i(c.h), i(c.w)),
        cudnnSetTensor4dDescriptor(y, nhwc, type, i(c.n), i(c.o), i(c.out_h), i(c.out_w)),
        cudnnSetFilter4dDescriptor(filter, type, nhwc, i(c.o), i(c.c), i(c.kh), i(c.kw)),
        cudnnSetConvolution2dDescriptor(convolution, i(c.padding[0]), i(c.padding[1]), i(c.stride[0]),
                                        i(c.stride[1]), i(c.dilation[0]), i(c.dilation[1]),
                                        CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        cudnnSetConvolutionMathType(convolution,
                                    c.dtype != DType::f32 || c.tf32 ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH)})
    if (Status s = dnn_status(status, "a descriptor"); !s.ok()) return s;
  return {};
}

namespace {

class Plan final : public ConvolutionPlan {
 public:
  explicit Plan(const Convolution& c) : c_(c) {}
  ~Plan() override {
    if (bias_) cudnnDestroyTensorDescriptor(bias_);
    if (activation_) cudnnDestroyActivationDescriptor(activation_);
  }

  Status init(Stream& stream) {
    if (Status s = descriptors_.init(c_); !s.ok()) return s;
    cudnnCreateTensorDescriptor(&bias_);
    cudnnCreateActivationDescriptor(&activation_);
    for (cudnnStatus_t status : {cudnnSetTensor4dDescriptor(bias_, CUDNN_TENSOR_NHWC, dnn_type(c_.dtype), 1,
                                                            static_cast<int>(c_.o), 1, 1),
                                 cudnnSetActivationDescriptor(
                                     activation_, c_.relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
                                     CUDNN_NOT_PROPAGATE_NAN, 0)})
      if (Status s = dnn_status(status, "a descriptor"); !s.ok()) return s;
    return choose(stream);
  }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(Stream& stream, const ConvolutionData& d) override {
    for (;; ++way_) {
      const Way& way = ways_[way_];
      const cudnnStatus_t status =
          way.fused ? fused(stream, d, way.algorithm) : product(stream, d, way.algorithm);
      if (status == CUDNN_STATUS_SUCCESS) return way.fused ? Status{} : finish_convolution(stream, c_, d);
      // What this shape and precision cannot have shows at the first run, which is not captured.
      if (stream.capturing || way_ + 1 == ways_.size()) return dnn_status(status, "a convolution");
    }
  }

 private:
  struct Way {
    cudnnConvolutionFwdAlgo_t algorithm;
    bool fused;
  };

  cudnnStatus_t fused(Stream& stream, const ConvolutionData& d, cudnnConvolutionFwdAlgo_t algorithm) const {
    const float one = 1, zero = 0;
    const auto& [x, y, filter, convolution] = descriptors_;
    return cudnnConvolutionBiasActivationForward(
        stream.dnn, &one, x, d.x, filter, d.weight, convolution, algorithm, d.workspace, workspace_,
        c_.residual ? &one : &zero, y, c_.residual ? d.residual : d.y, bias_, d.bias, activation_, y, d.y);
  }

  cudnnStatus_t product(Stream& stream, const ConvolutionData& d, cudnnConvolutionFwdAlgo_t algorithm) const {
    const float one = 1, zero = 0;
    const auto& [x, y, filter, convolution] = descriptors_;
    return cudnnConvolutionForward(stream.dnn, &one, x, d.x, filter, d.weight, convolution, algorithm,
                                   d.workspace, workspace_, &zero, y, d.y);
  }

  // Ways from the best to the last; the workspace is enough for each. Without ReLU the fused call takes one
  // algorithm alone.
  Status choose(Stream& stream) {
    const auto& [x, y, filter, convolution] = descriptors_;
    cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    int count = 0;
    if (c_.relu && cudnnGetConvolutionForwardAlgorithm_v7(stream.dnn, x, filter, convolution, y,
                                                          CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count,
                                                          found) != CUDNN_STATUS_SUCCESS)
      count = 0;
    const auto best =
        deterministic(found, count, CUDNN_CONVOLUTION_FWD_ALGO_FFT, CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
                      CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
    Status last;
    for (const auto [algorithm, fused] :
         {Way{best, true}, Way{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true}, Way{best, false},
          Way{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, false},
          Way{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, false}}) {
      size_t bytes = 0;
      last = dnn_status(
          cudnnGetConvolutionForwardWorkspaceSize(stream.dnn, x, filter, convolution, y, algorithm, &bytes),
          "the size of a workspace");
      if (!last.ok() || bytes > kMostConvolutionWorkspace) continue;
      ways_.push_back({algorithm, fused});
      workspace_ = std::max(workspace_, bytes);
    }
    return ways_.empty() ? last : Status{};
  }

  Convolution c_;
  ConvolutionDescriptors descriptors_;
  cudnnTensorDescriptor_t bias_ = nullptr;
  cudnnActivationDescriptor_t activation_ = nullptr;
  std::vector<Way> ways_;
  size_t way_ = 0;  // that works
  size_t workspace_ = 0;
};

}  // namespace

Result<std::unique_ptr<ConvolutionPlan>> plan_convolution(Stream& stream, const Convolution& convolution) {
  auto plan = std::make_unique<Plan>(convolution);
  if (Status s = plan->init(stream); !s.ok()) return s;
  return std::unique_ptr<ConvolutionPlan>(std::move(plan));
}

}  // namespace nlrcnn::cuda
