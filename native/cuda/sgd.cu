#include "ops/sgd.h"

#include "cuda/optimizers.h"

namespace nlrcnn::cuda {
namespace {

// Parameters, gradients and, where L is 3, momentum buffers.
template <int L>
NLRCNN_KERNEL void step(Tensors<L> t, sgd::Settings s, Span<const float> control) {
  if (!is_finite(control)) return;
  const float factor = factor_of(control);
  const Piece piece = piece_of(t);
  const Span<float> parameters = values(t, 0, piece.tensor), gradients = values(t, 1, piece.tensor),
                    buffers = values(t, L - 1, piece.tensor);
  for (int64_t i = piece.begin + thread_index(); i < piece.end; i += kThreads) {
    float parameter = parameters[i], buffer = L == 3 ? buffers[i] : 0.0f;
    sgd::update(s, factor * gradients[i], &parameter, L == 3 ? &buffer : nullptr);
    parameters[i] = parameter;
    if (L == 3) buffers[i] = buffer;
  }
}

class Sgd : public Kernel {
 public:
  explicit Sgd(const OpCall& call) : call_(call) {}
  Status init() { return sgd::read_settings(call_, &settings_); }

  Status run(RunContext& context) override {
    const bool buffers = settings_.momentum > 0;
    const Status status = buffers ? launch_all<3>(context) : launch_all<2>(context);
    if (!status.ok()) return status;
    written(context, 1, buffers ? 3 : 2, 0);
    if (buffers) written(context, 1, 3, 2);
    return {};
  }

 private:
  template <int L>
  Status launch_all(RunContext& context) {
    const auto control = span<const float>(context.in[0]);
    if (Status s = report(context, control); !s.ok()) return s;
    return each_launch<L>(context, 1, [&](const Tensors<L>& t, uint32_t) {
      return launch(stream_of(context), "sgd", {t.first_block[t.count]}, kThreads, step<L>, t, settings_,
                    control);
    });
  }

  OpCall call_;
  sgd::Settings settings_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sgd(const OpCall& call, Stream&) {
  return made(std::make_unique<Sgd>(call));
}

}  // namespace nlrcnn::cuda
