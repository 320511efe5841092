#pragma once
#include "ops/check.h"

// What a 3×3 convolution (padding 1) makes of y repeated at every place: y [K, D], weight [O, D, 3, 3], bias
// [O]?, count [1]?
// -> [K, O, height, width].
namespace nlrcnn::tap_bias {

inline constexpr size_t kInputs = 4;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::activation : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t height, width;
  if (Status s = check_float(call, 0, "y"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "weight"); !s.ok()) return s;
  const Shape &y = call.in[0].shape, &w = call.in[1].shape;
  if (y.size() != 2) return expected_shape("y", "[K, D]", y);
  if (w.size() != 4 || w[0] < 1 || w[1] != y[1] || w[2] != 3 || w[3] != 3)
    return expected_shape("weight", ("[O, " + std::to_string(y[1]) + ", 3, 3]").c_str(), w);
  if (Status s = check_bias(call, 2, w[0]); !s.ok()) return s;
  if (Status s = check_count(call, 3); !s.ok()) return s;
  if (Status s = read_integer(call, "height", 1, 0, &height); !s.ok()) return s;
  if (Status s = read_integer(call, "width", 1, 0, &width); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, {y[0], w[0], height, width}, Layout::blocked}};
}

}  // namespace nlrcnn::tap_bias
