#include "ops/conv2d.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

using dnnl::memory;

// Below this many 4×4 output tiles Winograd's transforms cost more than they save (measured on 14×14 and
// 13×17 maps).
constexpr int64_t kWinogradTiles = 40;

class Conv2d : public DenseKernel {
 public:
  Conv2d(const OpCall& call, int block) : DenseKernel(call, block, 3, 4) {}

  Status init() {
    if (Status status = conv2d::read_settings(call_, &settings_); !status.ok()) return status;
    return prepare();
  }

 protected:
  memory::desc weight_desc() const override {
    using tag = memory::format_tag;
    return {weight_dims(), memory::data_type::f32, settings_.groups == 1 ? tag::oihw : tag::goihw};
  }

  Dense make(int64_t rows) override {
    if (winograd(rows)) {
      try {
        return make(rows, dnnl::algorithm::convolution_winograd);
      } catch (const dnnl::error&) {
        // Not on this machine or for this shape: the direct algorithm takes every shape.
      }
    }
    return make(rows, dnnl::algorithm::convolution_direct);
  }

 private:
  memory::dims weight_dims() const {
    const Shape& w = call_.in[1].shape;
    if (settings_.groups == 1) return {w[0], w[1], w[2], w[3]};
    return {settings_.groups, w[0] / settings_.groups, w[1], w[2], w[3]};
  }

  bool winograd(int64_t rows) const {
    const Shape &w = call_.in[1].shape, &out = call_.out[0].shape;
    const bool plain = settings_.groups == 1 && settings_.dilation[0] == 1 && settings_.dilation[1] == 1;
    const bool kernel = w[2] == 3 && w[3] == 3 && settings_.stride[0] == 1 && settings_.stride[1] == 1;
    const int64_t tiles = rows * ((out[2] + 3) / 4) * ((out[3] + 3) / 4);
    return plain && kernel && block_ == 16 && w[0] % 16 == 0 && w[1] % 16 == 0 && tiles >= kWinogradTiles;
  }

  Dense make(int64_t rows, dnnl::algorithm algorithm) {
    const memory::desc src = memory_desc(call_.in[0], block_, rows),
                       dst = memory_desc(call_.out[0], block_, rows);
    const memory::desc weights(weight_dims(), memory::data_type::f32, memory::format_tag::any);
    const memory::desc bias = call_.has(2) ? vector_desc(call_.in[2].shape[0]) : memory::desc();
    const auto pair = [](const int64_t* p, int64_t minus) {
      return memory::dims{p[0] - minus, p[1] - minus};
    };
    const memory::dims padding = pair(settings_.padding, 0);
    return make_convolution(
        {algorithm, src, weights, bias, dst, pair(settings_.stride, 0), pair(settings_.dilation, 1), padding},
        dense_attr(call_.has(3), settings_.relu));
  }

  conv2d::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv2d(const OpCall& call, int block) {
  auto kernel = std::make_unique<Conv2d>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
