#include "ops/axpby.h"

#include "cpu/optimizers.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

NLRCNN_MULTIVERSION void blend(float alpha, const float* x, float beta, int64_t size, float* y) {
  for (int64_t i = 0; i < size; ++i) y[i] = alpha * x[i] + beta * y[i];
}

class Axpby : public Kernel {
 public:
  explicit Axpby(const OpCall& call)
      : lists_(call, 0, 2),
        alpha_(static_cast<float>(call.attrs.number("alpha", 1))),
        beta_(static_cast<float>(call.attrs.number("beta", 1))) {}

  Status run(RunContext& context) override {
    lists_.each(context, [&](size_t chunk, const auto& values) {
      blend(alpha_, values(1), beta_, lists_.size(chunk), values(0));
    });
    lists_.written(context, 0);
    *context.out[0].as<int32_t>() = 1;
    return {};
  }

 private:
  TensorLists lists_;
  float alpha_, beta_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_axpby(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new Axpby(call));
}

}  // namespace nlrcnn::cpu
