#include "ops/adamw.h"

#include "cuda/optimizers.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void count_step(adamw::Settings s, Span<const float> control, Span<int32_t> steps,
                              Span<adamw::Step> to) {
  if (thread_index() > 0 || !is_finite(control)) return;
  steps[0] = optimizers::counted_up(steps[0]);
  to[0] = adamw::make_step(s, steps[0]);
}

NLRCNN_KERNEL void update_all(Tensors<4> t, Span<const adamw::Step> step, Span<const float> control) {
  if (!is_finite(control)) return;
  const float factor = factor_of(control);
  const adamw::Step s = step[0];
  const Piece piece = piece_of(t);
  const Span<float> parameters = values(t, 0, piece.tensor), gradients = values(t, 1, piece.tensor),
                    averages = values(t, 2, piece.tensor), squares = values(t, 3, piece.tensor);
  for (int64_t i = piece.begin + thread_index(); i < piece.end; i += kThreads) {
    float parameter = parameters[i], average = averages[i], square = squares[i];
    adamw::update(s, factor * gradients[i], &parameter, &average, &square);
    parameters[i] = parameter;
    averages[i] = average;
    squares[i] = square;
  }
}

class AdamW : public Kernel {
 public:
  explicit AdamW(const OpCall& call) : call_(call) {}
  Status init() { return adamw::read_settings(call_, &settings_); }

  size_t workspace_bytes() const override { return sizeof(adamw::Step); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    const auto control = span<const float>(context.in[0]);
    const auto step = span<adamw::Step>(context.workspace, 1);
    if (Status s = report(context, control); !s.ok()) return s;
    if (Status s = launch(stream, "adamw step", {1}, 32, count_step, settings_, control,
                          span<int32_t>(context.in[1]), step);
        !s.ok())
      return s;
    const Status status = each_launch<4>(context, 2, [&](const Tensors<4>& t, uint32_t) {
      return launch(stream, "adamw", {t.first_block[t.count]}, kThreads, update_all, t,
                    Span<const adamw::Step>(step), control);
    });
    if (!status.ok()) return status;
    context.written(1);
    for (size_t list : {0, 2, 3}) written(context, 2, 4, list);
    return {};
  }

 private:
  OpCall call_;
  adamw::Settings settings_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_adamw(const OpCall& call, Stream&) {
  return made(std::make_unique<AdamW>(call));
}

}  // namespace nlrcnn::cuda
