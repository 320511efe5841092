#include "ops/add_broadcast.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void add_block(const float* x, const float* v, int channels, int block, int64_t places,
                                   float* out) {
  float lanes[16] = {};
  for (int c = 0; c < channels; ++c) lanes[c] = v[c];
  for (int64_t p = 0; p < places; ++p)
    for (int c = 0; c < block; ++c) out[p * block + c] = x[p * block + c] + lanes[c];
}

class AddBroadcast : public Kernel {
 public:
  AddBroadcast(const OpCall& call, int block) : shape_(call.in[0].shape), block_(block) {}

  Status run(RunContext& context) override {
    const int64_t blocks = (shape_[1] + block_ - 1) / block_, places = shape_[2] * shape_[3];
    const float *x = context.in[0].as<float>(), *v = context.in[1].as<float>();
    float* out = context.out[0].as<float>();
    const int64_t all = valid_rows(context.in[2], shape_[0]) * blocks;
#pragma omp parallel for
    for (int64_t i = 0; i < all; ++i) {
      const int64_t k = i / blocks, first = i % blocks * block_, at = i * places * block_;
      const int channels = static_cast<int>(std::min<int64_t>(block_, shape_[1] - first));
      add_block(x + at, v + k * shape_[1] + first, channels, block_, places, out + at);
    }
    return {};
  }

 private:
  Shape shape_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_add_broadcast(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new AddBroadcast(call, block));
}

}  // namespace nlrcnn::cpu
