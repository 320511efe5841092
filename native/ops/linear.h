#pragma once
#include "ops/check.h"

// x [N, K] or [N, C, H, W] with C·H·W = K, weight [O, K], bias [O]?, accumulate [N, O]?, count [1]? -> [N,
// O].
namespace nlrcnn::linear {

inline constexpr size_t kInputs = 5;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::any : input == 3 ? Wants::activation : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "weight"); !s.ok()) return s;
  const Shape &x = call.in[0].shape, &w = call.in[1].shape;
  if (x.size() != 2 && x.size() != 4) return expected_shape("x", "[N, K] or [N, C, H, W]", x);
  const int64_t k = element_count(Shape(x.begin() + 1, x.end()));
  if (w.size() != 2 || w[1] != k)
    return expected_shape("weight", ("[O, " + std::to_string(k) + "]").c_str(), w);
  const Shape out{x[0], w[0]};
  if (Status s = check_bias(call, 2, w[0]); !s.ok()) return s;
  if (call.has(3)) {
    if (Status s = check_float(call, 3, "accumulate"); !s.ok()) return s;
    if (call.in[3].shape != out)
      return expected_shape("accumulate", to_string(out).c_str(), call.in[3].shape);
  }
  if (Status s = check_count(call, 4); !s.ok()) return s;
  // What boxes and scores are made of keeps its digits.
  const DType dtype = call.attrs.flag("float32") ? DType::f32 : call.target.compute;
  return std::vector<TensorDesc>{{dtype, out, Layout::plain}};
}

}  // namespace nlrcnn::linear
