#pragma once
#include "core/op.h"

namespace nlrcnn::cpu {

// What flows back into a layer through its ReLU, count and bias, in one pass over its output's gradient.
class GradientPass {
 public:
  // `out`: of the layer, blocked or [N, O].
  GradientPass(const TensorDesc& out, int block);

  size_t workspace_bytes() const { return images_ * chunks_ * strips_ * lanes_ * sizeof(float); }
  // masked: grad where y, if there is one, is positive; zero beyond `rows`. bias [O]: its sum. Either may be
  // null. Sums have one order whatever the number of threads.
  void run(const float* grad, const float* y, int64_t rows, float* masked, float* bias,
           float* workspace) const;

 private:
  // `strips_` of `lanes_` channels, in chunks of places.
  bool blocked_;
  int64_t images_, channels_, places_, strips_, lanes_, chunks_;
};

}  // namespace nlrcnn::cpu
