#pragma once
#include "ops/check.h"

// The k largest, falling, equal values by index: values [N] -> values [min(k, N)], indices i32 [min(k, N)].
namespace nlrcnn::topk {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t k;
  if (Status s = check_float(call, 0, "values"); !s.ok()) return s;
  if (call.in[0].shape.size() != 1) return expected_shape("values", "[N]", call.in[0].shape);
  if (Status s = read_integer(call, "k", 0, 0, &k); !s.ok()) return s;
  const Shape out{std::min(k, call.in[0].shape[0])};
  return std::vector<TensorDesc>{{DType::f32, out}, {DType::i32, out}};
}

}  // namespace nlrcnn::topk
