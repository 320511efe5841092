#include "ops/conv_transpose2d.h"

#include <algorithm>

#include "cpu/conv_transpose2d.h"
#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

// With kernel 2 and stride 2 no two inputs meet: a 1×1 convolution makes the four outputs of each place as so
// many channels, and they are then put side by side. oneDNN's own deconvolution takes ten times as long.
class ConvTranspose2d : public Kernel {
 public:
  ConvTranspose2d(const OpCall& call, int block)
      : in_(call.in[0].shape), outputs_(call.out[0].shape[1]), has_count_(call.has(3)), block_(block) {
    padded_ = (outputs_ + block - 1) / block * block;
    conv_ = {"conv2d",
             {},
             {call.in[0],
              {DType::f32, {4 * padded_, in_[1], 1, 1}},
              {DType::f32, {4 * padded_}},
              {},
              {DType::i32, {1}}},
             {},
             {},
             call.target};
    conv_.present = {true, true, true, false, has_count_};
    conv_.out = {{DType::f32, {in_[0], 4 * padded_, in_[2], in_[3]}, Layout::blocked}};
    if (call.attrs.flag("relu")) conv_.attrs.set("relu", 1.0);
  }

  Status init() {
    auto made = make_conv2d(conv_, block_);
    if (!made.ok()) return made.status();
    inner_ = std::move(made.value());
    return {};
  }

  size_t workspace_bytes() const override { return taps_bytes() + inner_->workspace_bytes(); }

  Status run(RunContext& context) override {
    const int64_t rows = has_count_ ? valid_rows(context.in[3], in_[0]) : in_[0];
    if (rows == 0) return {};
    auto packed = packed_transposed(context, 1, {in_[1], outputs_}, padded_);
    if (!packed.ok()) return packed.status();
    // The bias of each of the four.
    const float* bias = context.in[2].as<float>();
    std::vector<float> biases(4 * padded_);
    for (int64_t t = 0; bias && t < 4; ++t) std::copy_n(bias, outputs_, biases.data() + t * padded_);
    char* taps = static_cast<char*>(context.workspace);
    RunContext inner;
    inner.in = {
        context.in[0], {nullptr, packed.value()->data()}, {nullptr, biases.data()}, {}, context.in[3]};
    inner.in_storage = {nullptr, packed.value().get(), nullptr, nullptr, nullptr};
    inner.out = {{nullptr, taps}};
    inner.workspace = taps + taps_bytes();
    if (Status status = inner_->run(inner); !status.ok()) return status;
    spread(reinterpret_cast<float*>(taps), rows, context.out[0].as<float>());
    return {};
  }

 private:
  size_t taps_bytes() const { return (conv_.out[0].bytes(block_) + 63) / 64 * 64; }

  // [rows, 4 · blocks, H, W, B] to [rows, blocks, 2H, 2W, B].
  void spread(const float* taps, int64_t rows, float* out) const {
    const int64_t blocks = padded_ / block_, height = in_[2], width = in_[3];
#pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; ++i)
      for (int64_t t = 0; t < 4; ++t) {
        const float* from = taps + ((i / blocks * 4 + t) * blocks + i % blocks) * height * width * block_;
        for (int64_t y = 0; y < height; ++y) {
          float* to = out + ((i * 2 * height + 2 * y + t / 2) * 2 * width + t % 2) * block_;
          for (int64_t x = 0; x < width; ++x, from += block_, to += 2 * block_) std::copy_n(from, block_, to);
        }
      }
  }

  Shape in_;
  int64_t outputs_, padded_;
  bool has_count_;
  int block_;
  OpCall conv_;
  std::unique_ptr<Kernel> inner_;
};

}  // namespace

Result<std::shared_ptr<Storage>> packed_transposed(const RunContext& context, size_t input,
                                                   const Shape& shape, int64_t padded) {
  const int64_t c = shape[0], outputs = shape[1];
  const float* weight = context.in[input].as<float>();
  return derived_weight({context.in_storage[input]}, "taps", 4 * padded * c * sizeof(float),
                        [&](float* to) -> Status {
#pragma omp parallel for
                          for (int64_t i = 0; i < 4 * padded; ++i) {
                            const int64_t t = i / padded, o = i % padded;
                            for (int64_t k = 0; k < c; ++k)
                              to[i * c + k] = o < outputs ? weight[(k * outputs + o) * 4 + t] : 0.0f;
                          }
                          return {};
                        });
}

Result<std::unique_ptr<Kernel>> make_conv_transpose2d(const OpCall& call, int block) {
  auto kernel = std::make_unique<ConvTranspose2d>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
