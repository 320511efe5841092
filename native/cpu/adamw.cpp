#include "ops/adamw.h"

#include "cpu/optimizers.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void step(const adamw::Step& s, float factor, const float* __restrict gradient,
                              int64_t size, float* __restrict parameter, float* __restrict average,
                              float* __restrict square) {
  for (int64_t i = 0; i < size; ++i)
    adamw::update(s, factor * gradient[i], parameter + i, average + i, square + i);
}

class AdamW : public Kernel {
 public:
  explicit AdamW(const OpCall& call) : lists_(call, 2, 4) { adamw::read_settings(call, &settings_); }

  Status run(RunContext& context) override {
    const optimizers::Control control = control_of(context);
    *context.out[0].as<int32_t>() = control.finite != 0;
    if (control.finite == 0) return {};
    auto* taken = context.in[1].as<int32_t>();
    *taken = optimizers::counted_up(*taken);
    const adamw::Step s = adamw::make_step(settings_, *taken);
    lists_.each(context, [&](size_t chunk, const auto& values) {
      step(s, control.factor, values(1), lists_.size(chunk), values(0), values(2), values(3));
    });
    context.written(1);
    for (size_t list : {0, 2, 3}) lists_.written(context, list);
    return {};
  }

 private:
  TensorLists lists_;
  adamw::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_adamw(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new AdamW(call));
}

}  // namespace nlrcnn::cpu
