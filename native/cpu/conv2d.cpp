#include "ops/conv2d.h"

#include <optional>

#include "cpu/convolution.h"
#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

class Conv2d : public DenseKernel {
 public:
  Conv2d(const OpCall& call, int block) : DenseKernel(call, block, 3, 4) {}

  Status init() {
    conv2d::Settings settings;
    if (Status status = conv2d::read_settings(call_, &settings); !status.ok()) return status;
    relu_ = settings.relu;
    convolution_.emplace(settings, call_.in[0], call_.in[1].shape, call_.out[0], call_.target);
    return prepare();
  }

 protected:
  dnnl::memory::desc weight_desc() const override { return convolution_->weight_desc(); }
  Dense make(int64_t rows) override {
    return convolution_->make(Convolution::Pass::forward, rows, call_.has(2),
                              dense_attr(call_.has(3), relu_));
  }

 private:
  std::optional<Convolution> convolution_;
  bool relu_ = false;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv2d(const OpCall& call, int block) {
  auto kernel = std::make_unique<Conv2d>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
