#include "ops/linear.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

using dnnl::inner_product_forward;
using dnnl::memory;

class Linear : public DenseKernel {
 public:
  Linear(const OpCall& call, int block) : DenseKernel(call, block, 3, 4) {}
  Status init() { return prepare(); }

 protected:
  memory::desc weight_desc() const override {
    memory::dims dims(call_.in[0].shape.begin(), call_.in[0].shape.end());
    dims[0] = call_.in[1].shape[0];
    using tag = memory::format_tag;
    return {dims, memory::data_type::f32, dims.size() == 4 ? tag::oihw : tag::oi};
  }

  Dense make(int64_t rows) override {
    const memory::desc src = memory_desc(call_.in[0], block_, rows), dst = memory_desc(call_.out[0], block_, rows);
    const memory::desc weights(weight_desc().dims(), memory::data_type::f32, memory::format_tag::any);
    const memory::desc bias = call_.has(2) ? vector_desc(call_.in[2].shape[0]) : memory::desc();
    const inner_product_forward::desc desc(dnnl::prop_kind::forward_inference, src, weights, bias, dst);
    const inner_product_forward::primitive_desc pd(desc, dense_attr(call_.has(3), call_.attrs.flag("relu")), engine());
    return {inner_product_forward(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(), pd.scratchpad_desc()};
  }
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_linear(const OpCall& call, int block) {
  auto kernel = std::make_unique<Linear>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
