#pragma once
#include "ops/check.h"

// x [K, D, H, W] + v [K, D] at every place, count [1]? -> [K, D, H, W].
namespace nlrcnn::add_broadcast {

inline constexpr size_t kInputs = 3;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::blocked : Wants::activation;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  const Shape& x = call.in[0].shape;
  if (x.size() != 4) return expected_shape("x", "[K, D, H, W]", x);
  if (Status s = check_shape(call, 1, "v", {x[0], x[1]}); !s.ok()) return s;
  if (Status s = check_count(call, 2); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, x, Layout::blocked}};
}

}  // namespace nlrcnn::add_broadcast
