#include "ops/topk.h"

#include <algorithm>
#include <bit>

#include "cpu/kernels.h"
#include "cpu/select.h"

namespace nlrcnn::cpu {
namespace {

// Rises where the value falls; NaN counts as the largest, as in torch.
inline uint32_t falling_key(float value) {
  if (value != value) return 0;
  const uint32_t bits = std::bit_cast<uint32_t>(value == 0 ? 0.0f : value);
  return bits >> 31 ? bits : ~(bits | 0x80000000u);
}

class TopK : public Kernel {
 public:
  explicit TopK(const OpCall& call) : rows_(call.in[0].shape[0]), k_(call.out[0].shape[0]) {}

  Status run(RunContext& context) override {
    const float* values = context.in[0].as<float>();
    const auto indices = largest(values, rows_, k_);
    for (size_t i = 0; i < indices.size(); ++i) {
      context.out[0].as<float>()[i] = values[indices[i]];
      context.out[1].as<int32_t>()[i] = indices[i];
    }
    return {};
  }

 private:
  int64_t rows_, k_;
};

}  // namespace

std::vector<int32_t> largest(const float* values, int64_t n, int64_t k) {
  k = std::min(k, n);
  std::vector<uint64_t> keys(n);
  for (int64_t i = 0; i < n; ++i) keys[i] = uint64_t{falling_key(values[i])} << 32 | static_cast<uint64_t>(i);
  if (k < n) std::nth_element(keys.begin(), keys.begin() + k, keys.end());
  std::sort(keys.begin(), keys.begin() + k);
  std::vector<int32_t> indices(k);
  for (int64_t i = 0; i < k; ++i) indices[i] = static_cast<int32_t>(keys[i]);
  return indices;
}

Result<std::unique_ptr<Kernel>> make_topk(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new TopK(call));
}

}  // namespace nlrcnn::cpu
