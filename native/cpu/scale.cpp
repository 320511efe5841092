#include "ops/scale.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

constexpr int64_t kChunk = 1 << 14;

NLRCNN_MULTIVERSION void multiply(const float* x, float by, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] * by;
}

class Scale : public Kernel {
 public:
  Scale(const OpCall& call, int block)
      : count_(call.out[0].stored_elements(block)),
        factor_(static_cast<float>(call.attrs.number("factor", 1))) {}

  Status run(RunContext& context) override {
    const float* x = context.in[0].as<float>();
    const float by = context.in[1] ? *context.in[1].as<float>() * factor_ : factor_;
    float* out = context.out[0].as<float>();
#pragma omp parallel for if (count_ > kChunk)
    for (int64_t at = 0; at < count_; at += kChunk)
      multiply(x + at, by, std::min(kChunk, count_ - at), out + at);
    return {};
  }

 private:
  int64_t count_;
  float factor_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_scale(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new Scale(call, block));
}

}  // namespace nlrcnn::cpu
