#include "ops/grad_norm.h"

#include "cpu/optimizers.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

// In double, in which no square of a float32 overflows: what is not finite was not before.
NLRCNN_MULTIVERSION double sum_squares(const float* values, int64_t size) {
  constexpr int kLanes = 16;
  typedef float V __attribute__((vector_size(4 * kLanes), aligned(4)));
  typedef double D __attribute__((vector_size(8 * kLanes)));
  D sums{};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    const D v = __builtin_convertvector(*reinterpret_cast<const V*>(values + i), D);
    sums += v * v;
  }
  double sum = 0;
  for (int k = 0; k < kLanes; ++k) sum += sums[k];
  for (; i < size; ++i) sum += double(values[i]) * values[i];
  return sum;
}

class GradNorm : public Kernel {
 public:
  explicit GradNorm(const OpCall& call) : lists_(call, 2, 1) { grad_norm::read_settings(call, &settings_); }

  size_t workspace_bytes() const override { return lists_.chunks() * sizeof(double); }

  Status run(RunContext& context) override {
    auto* partials = static_cast<double*>(context.workspace);
    lists_.each(context, [&](size_t chunk, const auto& values) {
      partials[chunk] = sum_squares(values(0), lists_.size(chunk));
    });
    double squares = 0;
    for (size_t chunk = 0; chunk < lists_.chunks(); ++chunk) squares += partials[chunk];
    *context.out[0].as<optimizers::Control>() =
        grad_norm::finish(settings_, squares, context.in[0].as<float>(), context.in[1].as<int32_t>());
    for (size_t i : {0, 1})
      if (context.in[i]) context.written(i);
    return {};
  }

 private:
  TensorLists lists_;
  grad_norm::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_grad_norm(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new GradNorm(call));
}

}  // namespace nlrcnn::cpu
