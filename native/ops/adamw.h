#pragma once
#include "ops/optimizers.h"

// torch.optim.AdamW: control f32 [3]?, steps taken before i32 [1], then parameters, their gradients, exp_avg
// and exp_avg_sq (both zero before the first step) -> i32 [1]: 1 where it was applied. All but control and
// gradients are written in place.
namespace nlrcnn::adamw {

inline constexpr size_t kInputs = 0;

struct Settings {
  double rate, beta1, beta2, eps, decay;
};

// What a step multiplies by, which depends on how many there were.
struct Step {
  float keep, rate, root, beta1, beta2, eps;  // root: 1 / sqrt(1 - beta2^step)
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (Status s = read_number(call, "lr", 0, 1e30, 0, &out->rate); !s.ok()) return s;
  if (Status s = read_number(call, "beta1", 0, 0.9999999, 0.9, &out->beta1); !s.ok()) return s;
  if (Status s = read_number(call, "beta2", 0, 0.9999999, 0.999, &out->beta2); !s.ok()) return s;
  if (Status s = read_number(call, "eps", 0, 1, 1e-8, &out->eps); !s.ok()) return s;
  return read_number(call, "weight_decay", 0, 1e30, 0.01, &out->decay);
}

// `step` counts from 1.
NLRCNN_HD inline Step make_step(const Settings& s, int32_t step) {
  return {static_cast<float>(1 - s.rate * s.decay),
          static_cast<float>(s.rate / (1 - pow(s.beta1, double(step)))),
          static_cast<float>(1 / sqrt(1 - pow(s.beta2, double(step)))),
          static_cast<float>(s.beta1),
          static_cast<float>(s.beta2),
          static_cast<float>(s.eps)};
}

NLRCNN_HD inline void update(const Step& s, float gradient, float* parameter, float* average, float* square) {
  *average += (1 - s.beta1) * (gradient - *average);
  *square = s.beta2 * *square + (1 - s.beta2) * gradient * gradient;
  *parameter = s.keep * *parameter - s.rate * *average / (sqrtf(*square) * s.root + s.eps);
}

inline Wants wants(const OpCall& call, size_t input) {
  return optimizers::wants(call, input);
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings{};
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  if (Status s = optimizers::check_control(call); !s.ok()) return s;
  if (!call.has(1) || call.in[1].dtype != DType::i32 || call.in[1].shape != Shape{1})
    return Status::error(Code::dtype, "Expected step of dtype int32 and shape [1] for adamw");
  if (Status s =
          optimizers::check_lists(call, 2, {"parameters", "gradients", "exp_avg", "exp_avg_sq"}, 0b1101);
      !s.ok())
    return s;
  return optimizers::applied();
}

}  // namespace nlrcnn::adamw
