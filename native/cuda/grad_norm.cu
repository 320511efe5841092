#include "ops/grad_norm.h"

#include "cuda/optimizers.h"

namespace nlrcnn::cuda {
namespace {

// Each block's sum of squares, in double, in which no square of a float32 overflows.
NLRCNN_KERNEL void sum_squares(Tensors<1> t, Span<double> partials, uint32_t before) {
  NLRCNN_SHARED(double, sums, kThreads / 32);
  const Piece piece = piece_of(t);
  const Span<float> gradients = values(t, 0, piece.tensor);
  double own = 0;
  for (int64_t i = piece.begin + thread_index(); i < piece.end; i += kThreads)
    own += double(gradients[i]) * gradients[i];
  const double all = block_sum(sums, own);
  if (thread_index() == 0) partials[before + block_x()] = all;
}

NLRCNN_KERNEL void finish(grad_norm::Settings s, Span<const double> partials, int64_t blocks,
                          Span<float> scale, Span<int32_t> good, Span<float> control) {
  NLRCNN_SHARED(double, sums, kThreads / 32);
  double own = 0;
  for (int64_t i = thread_index(); i < blocks; i += kThreads) own += partials[i];
  const double all = block_sum(sums, own);
  if (thread_index() > 0) return;
  float own_scale = scale ? scale[0] : 1.0f;
  int32_t own_good = good ? good[0] : 0;
  const optimizers::Control found =
      grad_norm::finish(s, all, scale ? &own_scale : nullptr, scale ? &own_good : nullptr);
  control[0] = found.norm;
  control[1] = found.factor;
  control[2] = found.finite;
  if (!scale) return;
  scale[0] = own_scale;
  good[0] = own_good;
}

class GradNorm : public Kernel {
 public:
  explicit GradNorm(const OpCall& call) : call_(call), blocks_(blocks_of(call, 2, 1)) {}
  Status init() { return grad_norm::read_settings(call_, &settings_); }

  size_t workspace_bytes() const override { return blocks_ * sizeof(double); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    const auto partials = span<double>(context.workspace, blocks_);
    const Status status = each_launch<1>(context, 2, [&](const Tensors<1>& t, uint32_t before) {
      return launch(stream, "grad_norm", {t.first_block[t.count]}, kThreads, sum_squares, t, partials,
                    before);
    });
    if (!status.ok()) return status;
    for (size_t i : {0, 1})
      if (context.in[i]) context.written(i);
    return launch(stream, "grad_norm finish", {1}, kThreads, finish, settings_, Span<const double>(partials),
                  blocks_, span<float>(context.in[0]), span<int32_t>(context.in[1]),
                  span<float>(context.out[0]));
  }

 private:
  OpCall call_;
  int64_t blocks_;
  grad_norm::Settings settings_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_grad_norm(const OpCall& call, Stream&) {
  return made(std::make_unique<GradNorm>(call));
}

}  // namespace nlrcnn::cuda
