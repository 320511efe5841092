#include "ops/conv_transpose2d.h"

#include <algorithm>

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
    Storage *weight = context.in_storage[1], *bias = context.in_storage[2];
    const bool constant = weight && (bias || !context.in[2]);
    const std::vector<Storage*> sources =
        bias ? std::vector{weight, bias} : std::vector{constant ? weight : nullptr};
    // [C, O, 2, 2] as [4, O, C], outputs padded to whole blocks; then the bias four times.
    const int64_t c = in_[1];
    auto packed = derived_weight(sources, "taps", (4 * padded_ * c + 4 * padded_) * sizeof(float),
                                 [&](float* to) -> Status {
                                   const float *w = context.in[1].as<float>(), *b = context.in[2].as<float>();
                                   std::fill_n(to, 4 * padded_ * (c + 1), 0.0f);
                                   for (int64_t i = 0; i < c; ++i)
                                     for (int64_t o = 0; o < outputs_; ++o)
                                       for (int64_t t = 0; t < 4; ++t)
                                         to[(t * padded_ + o) * c + i] = w[(i * outputs_ + o) * 4 + t];
                                   for (int64_t t = 0; b && t < 4; ++t)
                                     std::copy_n(b, outputs_, to + 4 * padded_ * c + t * padded_);
                                   return {};
                                 });
    if (!packed.ok()) return packed.status();
    float* weights = static_cast<float*>(packed.value()->data());
    char* taps = static_cast<char*>(context.workspace);
    RunContext inner;
    inner.in = {context.in[0], {nullptr, weights}, {nullptr, weights + 4 * padded_ * c}, {}, context.in[3]};
    inner.in_storage = {nullptr, constant ? packed.value().get() : nullptr, nullptr, nullptr, nullptr};
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

Result<std::unique_ptr<Kernel>> make_conv_transpose2d(const OpCall& call, int block) {
  auto kernel = std::make_unique<ConvTranspose2d>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
