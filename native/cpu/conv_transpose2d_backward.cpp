#include "ops/conv_transpose2d_backward.h"

#include <algorithm>

#include "cpu/conv_transpose2d.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

using namespace dense_gradients;

// A row of pairs of places, each of `block` channels, to the places of even and of odd columns.
NLRCNN_MULTIVERSION void gather_row(const float* grad, const float* y, int64_t width, int block, float* even,
                                    float* odd) {
  for (int64_t x = 0; x < width; ++x)
    for (int side = 0; side < 2; ++side) {
      const int64_t at = (2 * x + side) * block;
      float* to = (side ? odd : even) + x * block;
      for (int b = 0; b < block; ++b) to[b] = !y || y[at + b] > 0 ? grad[at + b] : 0.0f;
    }
}

// The four outputs of each place as channels of a 1×1 convolution, as forward, whose gradients are those
// wanted.
class ConvTranspose2dBackward : public Kernel {
 public:
  ConvTranspose2dBackward(const OpCall& call, int block)
      : call_(call), asked_(read_asked(call)), in_(call.in[x].shape), block_(block) {
    const int64_t outputs = call.in[weight].shape[1];
    padded_ = (outputs + block - 1) / block * block;
    const TensorDesc taps{DType::f32, {in_[0], 4 * padded_, in_[2], in_[3]}, Layout::blocked};
    taps_bytes_ = (taps.bytes(block) + 63) / 64 * 64;
    packed_bytes_ = asked_.dweight >= 0 ? (4 * padded_ * in_[1] * sizeof(float) + 63) / 64 * 64 : 0;
    conv_ = {"conv2d_backward",
             {},
             {taps, call.in[x], {DType::f32, {4 * padded_, in_[1], 1, 1}}, {}, call.in[count]},
             {},
             {true, true, true, false, call.has(count)},
             call.target};
    conv_.out = call.out;
    for (const auto& [name, output] :
         {std::pair{"dx", asked_.dx}, {"dweight", asked_.dweight}, {"dbias", asked_.dbias}})
      conv_.attrs.set(name, output < 0 ? 0.0 : 1.0);
    if (asked_.dweight >= 0) conv_.out[asked_.dweight] = conv_.in[weight];
    if (asked_.dbias >= 0) conv_.out[asked_.dbias].shape = {4 * padded_};
  }

  Status init() {
    auto made = make_conv2d_backward(conv_, block_);
    if (!made.ok()) return made.status();
    inner_ = std::move(made.value());
    return {};
  }

  size_t workspace_bytes() const override { return taps_bytes_ + packed_bytes_ + inner_->workspace_bytes(); }

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[count], in_[0]);
    char* workspace = static_cast<char*>(context.workspace);
    auto *taps = reinterpret_cast<float*>(workspace),
         *dtaps = reinterpret_cast<float*>(workspace + taps_bytes_);
    gather(context, rows, taps);
    std::vector<float> biases(4 * padded_);
    RunContext inner;
    inner.in = {{nullptr, taps}, context.in[x], {}, {}, context.in[count]};
    inner.in_storage.resize(kInputs, nullptr);
    inner.out = context.out;
    if (asked_.dweight >= 0) inner.out[asked_.dweight].data = dtaps;
    if (asked_.dbias >= 0) inner.out[asked_.dbias].data = biases.data();
    inner.workspace = workspace + taps_bytes_ + packed_bytes_;
    std::shared_ptr<Storage> weights;
    if (asked_.dx >= 0) {
      auto packed = packed_transposed(context, weight, call_.in[weight].shape, padded_);
      if (!packed.ok()) return packed.status();
      weights = packed.value();
      inner.in[weight].data = weights->data();
      inner.in_storage[weight] = weights.get();
    }
    if (Status status = inner_->run(inner); !status.ok()) return status;
    if (asked_.dweight >= 0) unpack(dtaps, context.out[asked_.dweight].as<float>());
    if (asked_.dbias >= 0) {
      float* dbias = context.out[asked_.dbias].as<float>();
      const float* b = biases.data();
      for (int64_t o = 0; o < call_.in[weight].shape[1]; ++o)
        dbias[o] = b[o] + b[padded_ + o] + b[2 * padded_ + o] + b[3 * padded_ + o];
    }
    return {};
  }

 private:
  // [rows, blocks, 2H, 2W, B] to [rows, 4 · blocks, H, W, B], what the ReLU lets through.
  void gather(const RunContext& context, int64_t rows, float* taps) const {
    const int64_t blocks = padded_ / block_, height = in_[2], width = in_[3], places = height * width;
    const float *from = context.in[grad].as<float>(), *behind = context.in[y].as<float>();
#pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; ++i)
      for (int64_t row = 0; row < 2 * height; ++row) {
        const int64_t at = (i * 2 * height + row) * 2 * width * block_;
        float* even =
            taps +
            (((i / blocks * 4 + row % 2 * 2) * blocks + i % blocks) * places + row / 2 * width) * block_;
        gather_row(from + at, behind ? behind + at : nullptr, width, block_, even,
                   even + blocks * places * block_);
      }
  }

  // [4, O', C] to [C, O, 2, 2].
  void unpack(const float* dtaps, float* dweight) const {
    const int64_t channels = in_[1], outputs = call_.in[weight].shape[1];
#pragma omp parallel for
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t t = 0; t < 4; ++t)
          dweight[(c * outputs + o) * 4 + t] = dtaps[(t * padded_ + o) * channels + c];
  }

  OpCall call_, conv_;
  Asked asked_;
  Shape in_;
  int block_;
  int64_t padded_;
  size_t taps_bytes_, packed_bytes_;
  std::unique_ptr<Kernel> inner_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv_transpose2d_backward(const OpCall& call, int block) {
  auto kernel = std::make_unique<ConvTranspose2dBackward>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
