#pragma once
#include "ops/optimizers.h"

// y = alpha · x + beta · y in place: tensors y, then as many x -> i32 [1]. Adds up gradients (1, 1) and keeps
// moving averages of weights (1 - decay, decay).
namespace nlrcnn::axpby {

inline constexpr size_t kInputs = 0;

inline Wants wants(const OpCall& call, size_t input) {
  return optimizers::wants(call, input);
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  double value;
  for (const char* name : {"alpha", "beta"})
    if (Status s = read_number(call, name, -1e30, 1e30, 1, &value); !s.ok()) return s;
  if (Status s = optimizers::check_lists(call, 0, {"y", "x"}, 0b01); !s.ok()) return s;
  return optimizers::applied();
}

}  // namespace nlrcnn::axpby
