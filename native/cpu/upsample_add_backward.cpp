#include "ops/upsample_add_backward.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "ops/nearest.h"

namespace nlrcnn::cpu {
namespace {

// Adds a row of the gradient to the row that it came from.
NLRCNN_MULTIVERSION void gather_row(const float* grad, const int32_t* columns, int64_t width, int block,
                                    float* to) {
  for (int64_t x = 0; x < width; ++x)
    for (int c = 0; c < block; ++c) to[columns[x] * block + c] += grad[x * block + c];
}

class UpsampleAddBackward : public Kernel {
 public:
  UpsampleAddBackward(const OpCall& call, int block)
      : grad_(call.in[0].shape), top_(call.out[0].shape), block_(block), columns_(grad_[3]) {
    for (int64_t x = 0; x < grad_[3]; ++x)
      columns_[x] = static_cast<int32_t>(nearest_source(x, static_cast<float>(top_[3]) / grad_[3], top_[3]));
  }

  Status run(RunContext& context) override {
    const int64_t planes = top_[0] * ((top_[1] + block_ - 1) / block_), rows = top_[2];
    const int64_t wide = grad_[3] * block_, narrow = top_[3] * block_;
    const float scale = static_cast<float>(top_[2]) / grad_[2];
    const float* grad = context.in[0].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < planes * rows; ++i) {
      float* to = out + i * narrow;
      std::fill_n(to, narrow, 0.0f);
      const int64_t first = first_place(i % rows, scale, rows, grad_[2]);
      const int64_t end = first_place(i % rows + 1, scale, rows, grad_[2]);
      for (int64_t y = first; y < end; ++y)
        gather_row(grad + (i / rows * grad_[2] + y) * wide, columns_.data(), grad_[3], block_, to);
    }
    return {};
  }

 private:
  Shape grad_, top_;
  int block_;
  std::vector<int32_t> columns_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_upsample_add_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new UpsampleAddBackward(call, block));
}

}  // namespace nlrcnn::cpu
