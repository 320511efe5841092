#include "ops/add.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

constexpr int64_t kChunk = 1 << 14;

NLRCNN_MULTIVERSION void sum(const float* a, const float* b, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

class Add : public Kernel {
 public:
  Add(const OpCall& call, int block) : count_(call.out[0].stored_elements(block)) {}

  Status run(RunContext& context) override {
    const float *a = context.in[0].as<float>(), *b = context.in[1].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t at = 0; at < count_; at += kChunk)
      sum(a + at, b + at, std::min(kChunk, count_ - at), out + at);
    return {};
  }

 private:
  int64_t count_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_add(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new Add(call, block));
}

}  // namespace nlrcnn::cpu
