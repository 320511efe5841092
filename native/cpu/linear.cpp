#include "ops/linear.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

using dnnl::memory;

class Linear : public DenseKernel {
 public:
  Linear(const OpCall& call, int block) : DenseKernel(call, block, 3, 4) {}
  Status init() { return prepare(); }

 protected:
  // x is a matrix as it lies in memory, blocked or not: oneDNN's fast product takes no other form. The
  // weights' columns then follow x's order.
  Dense make(int64_t rows) override {
    using tag = memory::format_tag;
    const memory::desc src({rows, width()}, memory::data_type::f32, tag::nc);
    const memory::desc dst = memory_desc(call_.out[0], block_, rows);
    const memory::desc weights({outputs(), width()}, memory::data_type::f32, tag::any);
    const memory::desc bias = call_.has(2) ? vector_desc(outputs()) : memory::desc();
    return make_inner_product(src, weights, bias, dst, dense_attr(call_.has(3), call_.attrs.flag("relu")));
  }

  memory::desc weight_desc() const override {
    return {{outputs(), width()}, memory::data_type::f32, memory::format_tag::oi};
  }

  Result<Packed> weights(const RunContext& context, const Dense& dense) const override {
    if (!blocked()) return DenseKernel::weights(context, dense);
    const Shape& x = call_.in[0].shape;
    // The weights' own format, its columns in x's order.
    const std::string key = "columns " + std::to_string(x[1]) + ' ' + format_key(dense.weights);
    const auto make = [&](float* to) -> Status {
      const memory::dims dims{outputs(), x[1], x[2], x[3]};
      const memory::desc plain(dims, memory::data_type::f32, memory::format_tag::oihw);
      const memory::desc columns(dims, memory::data_type::f32,
                                 block_ == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c);
      auto ordered = packed_weight(context.in[1].data, nullptr, plain, columns);
      if (!ordered.ok()) return ordered.status();
      reorder(weight_desc(), ordered.value().memory.get_data_handle(), dense.weights, to);
      return {};
    };
    auto packed = derived_weight({context.in_storage[1]}, key, dense.weights.get_size(), make);
    if (!packed.ok()) return packed.status();
    return Packed{memory(dense.weights, engine(), packed.value()->data()), packed.value()};
  }

 private:
  bool blocked() const { return call_.in[0].layout == Layout::blocked; }
  int64_t outputs() const { return call_.in[1].shape[0]; }
  int64_t width() const {
    return call_.in[0].stored_elements(block_) / std::max<int64_t>(call_.in[0].shape[0], 1);
  }
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_linear(const OpCall& call, int block) {
  auto kernel = std::make_unique<Linear>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
