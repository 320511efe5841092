#include "ops/mask_probs.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"
#include "ops/math.h"

namespace nlrcnn::cpu {
namespace {

// weight: padded with zeros to whole blocks.
NLRCNN_MULTIVERSION void probabilities(const float* x, const float* weight, float bias, int64_t blocks,
                                       int64_t places, int block, float* out) {
  for (int64_t p = 0; p < places; ++p) {
    float lanes[16] = {};
    for (int64_t b = 0; b < blocks; ++b)
      for (int c = 0; c < block; ++c) lanes[c] += x[(b * places + p) * block + c] * weight[b * block + c];
    float sum = bias;
    for (int c = 0; c < block; ++c) sum += lanes[c];
    out[p] = 1.0f / (1.0f + exp_poly(-sum));
  }
}

class MaskProbs : public Kernel {
 public:
  MaskProbs(const OpCall& call, int block)
      : shape_(call.in[0].shape), classes_(call.in[1].shape[0]), block_(block) {}

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[4], shape_[0]), channels = shape_[1],
                  places = shape_[2] * shape_[3];
    const int64_t blocks = (channels + block_ - 1) / block_;
    const float *x = context.in[0].as<float>(), *weight = context.in[1].as<float>(),
                *bias = context.in[2].as<float>();
    const int32_t* labels = context.in[3].as<int32_t>();
    float* out = context.out[0].as<float>();
    for (int64_t k = 0; k < rows; ++k)
      if (labels[k] < 0 || labels[k] >= classes_)
        return Status::error(Code::argument, "Expected labels below " + std::to_string(classes_) +
                                                 " but received " + std::to_string(labels[k]));
#pragma omp parallel for schedule(dynamic)
    for (int64_t k = 0; k < rows; ++k) {
      std::vector<float> padded(blocks * block_, 0.0f);
      std::copy_n(weight + labels[k] * channels, channels, padded.begin());
      probabilities(x + k * blocks * places * block_, padded.data(), bias[labels[k]], blocks, places, block_,
                    out + k * places);
    }
    return {};
  }

 private:
  Shape shape_;
  int64_t classes_;
  int block_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_probs(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new MaskProbs(call, block));
}

}  // namespace nlrcnn::cpu
