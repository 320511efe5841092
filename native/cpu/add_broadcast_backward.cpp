#include "ops/add_broadcast_backward.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void sum_places(const float* grad, int64_t places, int channels, int block, float* out) {
  float sums[16] = {};
  for (int64_t p = 0; p < places; ++p)
    for (int c = 0; c < block; ++c) sums[c] += grad[p * block + c];
  std::copy_n(sums, channels, out);
}

class AddBroadcastBackward : public Kernel {
 public:
  AddBroadcastBackward(const OpCall& call, int block) : shape_(call.in[0].shape), block_(block) {}

  Status run(RunContext& context) override {
    const int64_t blocks = (shape_[1] + block_ - 1) / block_, places = shape_[2] * shape_[3];
    const int64_t rows = valid_rows(context.in[1], shape_[0]);
    const float* grad = context.in[0].as<float>();
    float* out = context.out[0].as<float>();
    std::fill(out + rows * shape_[1], out + shape_[0] * shape_[1], 0.0f);
#pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; ++i) {
      const int64_t first = i % blocks * block_;
      sum_places(grad + i * places * block_, places,
                 static_cast<int>(std::min<int64_t>(block_, shape_[1] - first)), block_,
                 out + i / blocks * shape_[1] + first);
    }
    return {};
  }

 private:
  Shape shape_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_add_broadcast_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new AddBroadcastBackward(call, block));
}

}  // namespace nlrcnn::cpu
