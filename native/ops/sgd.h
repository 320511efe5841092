#pragma once
#include "ops/optimizers.h"

// torch.optim.SGD: control f32 [3]?, then parameters, their gradients and, where momentum is above 0, their
// momentum buffers (zero before the first step) -> i32 [1]: 1 where it was applied. Parameters and buffers
// are written in place.
namespace nlrcnn::sgd {

inline constexpr size_t kInputs = 0;

struct Settings {
  float rate, momentum, decay;
  bool nesterov;
};

inline Status read_settings(const OpCall& call, Settings* out) {
  double rate, momentum, decay;
  if (Status s = read_number(call, "lr", 0, 1e30, 0, &rate); !s.ok()) return s;
  if (Status s = read_number(call, "momentum", 0, 1, 0, &momentum); !s.ok()) return s;
  if (Status s = read_number(call, "weight_decay", 0, 1e30, 0, &decay); !s.ok()) return s;
  *out = {static_cast<float>(rate), static_cast<float>(momentum), static_cast<float>(decay),
          call.attrs.flag("nesterov")};
  if (!out->nesterov || momentum > 0) return {};
  return Status::error(Code::argument, "Expected momentum above 0 for Nesterov's");
}

// One value; `buffer` is null without momentum.
NLRCNN_HD inline void update(const Settings& s, float gradient, float* parameter, float* buffer) {
  float g = gradient + s.decay * *parameter;
  if (buffer) {
    *buffer = s.momentum * *buffer + g;
    g = s.nesterov ? g + s.momentum * *buffer : *buffer;
  }
  *parameter -= s.rate * g;
}

inline Wants wants(const OpCall& call, size_t input) {
  return optimizers::wants(call, input);
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings{};
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  if (Status s = optimizers::check_control(call); !s.ok()) return s;
  std::vector<const char*> lists{"parameters", "gradients"};
  if (settings.momentum > 0) lists.push_back("momentum buffers");
  if (Status s = optimizers::check_lists(call, 1, lists, 0b101); !s.ok()) return s;
  return optimizers::applied();
}

}  // namespace nlrcnn::sgd
