#pragma once
#include "ops/check.h"

// weight [O, C, …] cut along its second axis -> [O, at, …] and [O, C - at, …], float32: the weights of a
// layer behind a concat.
namespace nlrcnn::split_channels {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t at;
  if (Status s = check_float(call, 0, "weight"); !s.ok()) return s;
  if (Status s = read_integer(call, "at", 0, 0, &at); !s.ok()) return s;
  Shape left = call.in[0].shape;
  if (left.size() < 2 || left[1] < at)
    return expected_shape("weight", ("[O, C, …], C at least " + std::to_string(at) + ",").c_str(), left);
  Shape right = left;
  left[1] = at;
  right[1] -= at;
  return std::vector<TensorDesc>{{DType::f32, left}, {DType::f32, right}};
}

}  // namespace nlrcnn::split_channels
