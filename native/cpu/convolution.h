#pragma once
#include "cpu/onednn.h"
#include "ops/conv2d.h"

namespace nlrcnn::cpu {

// A convolution as oneDNN sees it: formats by number of images, and which algorithm is the faster.
class Convolution {
 public:
  enum class Pass { forward, data, weights };

  Convolution(const conv2d::Settings& settings, TensorDesc x, Shape weight, TensorDesc y,
              const Target& target)
      : settings_(settings),
        x_(std::move(x)),
        y_(std::move(y)),
        weight_(std::move(weight)),
        target_(target) {}

  // The weight as it is in PyTorch.
  dnnl::memory::desc weight_desc() const;
  // A primitive of Winograd's algorithm where that pays, else of the direct one; `bias` [0] where there is
  // none.
  Dense make(Pass pass, int64_t rows, bool bias, const dnnl::primitive_attr& attr) const;

 private:
  dnnl::memory::dims weight_dims() const;
  bool winograd(Pass pass, int64_t rows) const;
  Dense make(Pass pass, int64_t rows, bool bias, const dnnl::primitive_attr& attr,
             dnnl::algorithm algorithm) const;

  conv2d::Settings settings_;
  TensorDesc x_, y_;
  Shape weight_;
  Target target_;
};

}  // namespace nlrcnn::cpu
