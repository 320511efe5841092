#include "ops/conv_transpose2d.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

using dnnl::deconvolution_forward;
using dnnl::memory;

class ConvTranspose2d : public DenseKernel {
 public:
  ConvTranspose2d(const OpCall& call, int block) : DenseKernel(call, block, kNone, 3) {}
  Status init() { return prepare(); }

 protected:
  // PyTorch stores [C, O, 2, 2], oneDNN's dims are [O, C, 2, 2].
  memory::desc weight_desc() const override {
    const Shape& w = call_.in[1].shape;
    return {{w[1], w[0], 2, 2}, memory::data_type::f32, memory::format_tag::iohw};
  }

  Dense make(int64_t rows) override {
    const memory::desc src = memory_desc(call_.in[0], block_, rows), dst = memory_desc(call_.out[0], block_, rows);
    const memory::desc weights(weight_desc().dims(), memory::data_type::f32, memory::format_tag::any);
    const memory::desc bias = call_.has(2) ? vector_desc(call_.in[2].shape[0]) : memory::desc();
    const deconvolution_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, src,
                                           weights, bias, dst, {2, 2}, {0, 0}, {0, 0});
    const deconvolution_forward::primitive_desc pd(desc, dense_attr(false, call_.attrs.flag("relu")), engine());
    return {deconvolution_forward(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(), pd.scratchpad_desc()};
  }

 private:
  static constexpr size_t kNone = 99;  // no residual input
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv_transpose2d(const OpCall& call, int block) {
  auto kernel = std::make_unique<ConvTranspose2d>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
