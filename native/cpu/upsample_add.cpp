#include "ops/upsample_add.h"

#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "ops/nearest.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void add_row(const float* top, const float* lateral, const int32_t* columns,
                                 int64_t width, int block, float* out) {
  for (int64_t x = 0; x < width; ++x) {
    const float* from = top + columns[x] * block;
    for (int c = 0; c < block; ++c) out[x * block + c] = lateral[x * block + c] + from[c];
  }
}

class UpsampleAdd : public Kernel {
 public:
  UpsampleAdd(const OpCall& call, int block)
      : top_(call.in[0].shape), out_(call.out[0].shape), block_(block), columns_(out_[3]) {
    for (int64_t x = 0; x < out_[3]; ++x)
      columns_[x] = static_cast<int32_t>(nearest_source(x, static_cast<float>(top_[3]) / out_[3], top_[3]));
  }

  Status run(RunContext& context) override {
    const int64_t planes = out_[0] * ((out_[1] + block_ - 1) / block_), rows = out_[2], width = out_[3];
    const float scale = static_cast<float>(top_[2]) / rows;
    const float *top = context.in[0].as<float>(), *lateral = context.in[1].as<float>();
    float* out = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < planes * rows; ++i) {
      const int64_t from = i / rows * top_[2] + nearest_source(i % rows, scale, top_[2]),
                    at = i * width * block_;
      add_row(top + from * top_[3] * block_, lateral + at, columns_.data(), width, block_, out + at);
    }
    return {};
  }

 private:
  Shape top_, out_;
  int block_;
  std::vector<int32_t> columns_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_upsample_add(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new UpsampleAdd(call, block));
}

}  // namespace nlrcnn::cpu
