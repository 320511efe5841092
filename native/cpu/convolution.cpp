#include "cpu/convolution.h"

namespace nlrcnn::cpu {
namespace {

using dnnl::memory;

// Below this many 4×4 output tiles Winograd's transforms cost more than they save (measured on 14×14 and
// 13×17 maps).
constexpr int64_t kWinogradTiles = 40;

}  // namespace

memory::dims Convolution::weight_dims() const {
  const Shape& w = weight_;
  if (settings_.groups == 1) return {w[0], w[1], w[2], w[3]};
  return {settings_.groups, w[0] / settings_.groups, w[1], w[2], w[3]};
}

memory::desc Convolution::weight_desc() const {
  using tag = memory::format_tag;
  return {weight_dims(), memory::data_type::f32, settings_.groups == 1 ? tag::oihw : tag::goihw};
}

bool Convolution::winograd(Pass pass, int64_t rows) const {
  const Shape &w = weight_, &out = pass == Pass::data ? x_.shape : y_.shape;
  const bool plain = settings_.groups == 1 && settings_.dilation[0] == 1 && settings_.dilation[1] == 1;
  const bool kernel = w[2] == 3 && w[3] == 3 && settings_.stride[0] == 1 && settings_.stride[1] == 1;
  const int64_t tiles = rows * ((out[2] + 3) / 4) * ((out[3] + 3) / 4);
  return plain && kernel && target_.block == 16 && w[0] % 16 == 0 && w[1] % 16 == 0 &&
         tiles >= kWinogradTiles;
}

Dense Convolution::make(Pass pass, int64_t rows, bool bias, const dnnl::primitive_attr& attr) const {
  if (winograd(pass, rows)) {
    try {
      return make(pass, rows, bias, attr, dnnl::algorithm::convolution_winograd);
    } catch (const dnnl::error&) {
      // Not on this machine or for this shape: the direct algorithm takes every shape.
    }
  }
  return make(pass, rows, bias, attr, dnnl::algorithm::convolution_direct);
}

Dense Convolution::make(Pass pass, int64_t rows, bool bias, const dnnl::primitive_attr& attr,
                        dnnl::algorithm algorithm) const {
  const auto pair = [](const int64_t* p, int64_t minus) { return memory::dims{p[0] - minus, p[1] - minus}; };
  const ConvolutionSpec spec{algorithm,
                             memory_desc(x_, target_.block, rows),
                             {weight_dims(), memory::data_type::f32, memory::format_tag::any},
                             bias ? vector_desc(weight_[0]) : memory::desc(),
                             memory_desc(y_, target_.block, rows),
                             pair(settings_.stride, 0),
                             pair(settings_.dilation, 1),
                             pair(settings_.padding, 0),
                             target_.learning};
  if (pass == Pass::data) return make_convolution_backward_data(spec, attr);
  if (pass == Pass::weights) return make_convolution_backward_weights(spec, attr);
  return make_convolution(spec, attr);
}

}  // namespace nlrcnn::cpu
