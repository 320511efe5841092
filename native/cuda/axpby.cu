#include "ops/axpby.h"

#include "cuda/optimizers.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void blend(Tensors<2> t, float alpha, float beta) {
  const Piece piece = piece_of(t);
  const Span<float> y = values(t, 0, piece.tensor), x = values(t, 1, piece.tensor);
  for (int64_t i = piece.begin + thread_index(); i < piece.end; i += kThreads)
    y[i] = alpha * x[i] + beta * y[i];
}

class Axpby : public Kernel {
 public:
  explicit Axpby(const OpCall& call)
      : alpha_(static_cast<float>(call.attrs.number("alpha", 1))),
        beta_(static_cast<float>(call.attrs.number("beta", 1))) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    if (Status s = report(context, {}); !s.ok()) return s;
    const Status status = each_launch<2>(context, 0, [&](const Tensors<2>& t, uint32_t) {
      return launch(stream_of(context), "axpby", {t.first_block[t.count]}, kThreads, blend, t, alpha_, beta_);
    });
    if (status.ok()) written(context, 0, 2, 0);
    return status;
  }

 private:
  float alpha_, beta_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_axpby(const OpCall& call, Stream&) {
  return made(std::make_unique<Axpby>(call));
}

}  // namespace nlrcnn::cuda
