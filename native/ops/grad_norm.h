#pragma once
#include "ops/optimizers.h"

// torch.nn.utils.clip_grad_norm_ without writing, and torch.amp.GradScaler's unscale_ and update, in one
// pass: loss scale f32 [1]? and good steps i32 [1]? (updated in place), then gradients -> control f32 [3]:
// the norm of all gradients divided by the loss scale and times `factor`, what to multiply them by (that, and
// less where the norm is above max_norm > 0), and 1 where all are finite, else 0.
namespace nlrcnn::grad_norm {

inline constexpr size_t kInputs = 0;

struct Settings {
  double factor, max_norm, growth, backoff;
  int64_t interval;
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (Status s = read_number(call, "factor", 1e-30, 1e30, 1, &out->factor); !s.ok()) return s;
  if (Status s = read_number(call, "max_norm", 0, 1e30, 0, &out->max_norm); !s.ok()) return s;
  if (Status s = read_number(call, "growth_factor", 1, 1e6, 2, &out->growth); !s.ok()) return s;
  if (Status s = read_number(call, "backoff_factor", 1e-6, 1, 0.5, &out->backoff); !s.ok()) return s;
  return read_integer(call, "growth_interval", 1, 2000, &out->interval);
}

// `squares`: the sum of all squares, which is not finite where a gradient is not. `scale` and `good` can be
// null.
NLRCNN_HD inline optimizers::Control finish(const Settings& s, double squares, float* scale, int32_t* good) {
  const double factor = s.factor / (scale ? double(*scale) : 1.0), norm = sqrt(squares) * factor;
  const bool finite = squares - squares == 0;
  double clip = 1;
  if (s.max_norm > 0 && norm > 0) clip = s.max_norm / (norm + 1e-6);
  if (clip > 1) clip = 1;
  if (scale && !finite) {
    *scale = static_cast<float>(*scale * s.backoff);
    *good = 0;
  } else if (scale) {
    *good = optimizers::counted_up(*good);
    if (*good >= s.interval) {
      *scale = static_cast<float>(*scale * s.growth);
      *good = 0;
    }
  }
  return {static_cast<float>(norm), finite ? static_cast<float>(factor * clip) : 0.0f, finite ? 1.0f : 0.0f};
}

inline Wants wants(const OpCall& call, size_t input) {
  return optimizers::wants(call, input);
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings{};
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  if (call.has(0) != call.has(1))
    return Status::error(Code::argument, "Expected both loss scale and good steps for grad_norm, or none");
  if (call.has(0)) {
    if (Status s = check_shape(call, 0, "loss scale", {1}); !s.ok()) return s;
    if (Status s = norm::check_in_place(call, 0, "loss scale"); !s.ok()) return s;
    if (call.in[1].dtype != DType::i32 || call.in[1].shape != Shape{1})
      return Status::error(Code::dtype, "Expected good steps of dtype int32 and shape [1] for grad_norm");
  }
  if (Status s = optimizers::check_lists(call, 2, {"gradients"}, 0); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::f32, {3}}};
}

}  // namespace nlrcnn::grad_norm
