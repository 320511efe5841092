#include "ops/sgd.h"

#include "cpu/optimizers.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void step(const sgd::Settings& s, float factor, const float* gradient, int64_t size,
                              float* parameter, float* buffer) {
  if (!buffer)
    for (int64_t i = 0; i < size; ++i) sgd::update(s, factor * gradient[i], parameter + i, nullptr);
  else
    for (int64_t i = 0; i < size; ++i) sgd::update(s, factor * gradient[i], parameter + i, buffer + i);
}

class Sgd : public Kernel {
 public:
  explicit Sgd(const OpCall& call)
      : buffers_(call.attrs.number("momentum", 0) > 0), lists_(call, 1, buffers_ ? 3 : 2) {
    sgd::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const optimizers::Control control = control_of(context);
    *context.out[0].as<int32_t>() = control.finite != 0;
    if (control.finite == 0) return {};
    lists_.each(context, [&](size_t chunk, const auto& values) {
      step(settings_, control.factor, values(1), lists_.size(chunk), values(0),
           buffers_ ? values(2) : nullptr);
    });
    lists_.written(context, 0);
    if (buffers_) lists_.written(context, 2);
    return {};
  }

 private:
  bool buffers_;
  TensorLists lists_;
  sgd::Settings settings_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_sgd(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new Sgd(call));
}

}  // namespace nlrcnn::cpu
