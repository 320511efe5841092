#pragma once
#include "ops/check.h"

// torch.nn.functional.conv_transpose2d, kernel 2, stride 2: x [N, C, H, W], weight [C, O, 2, 2], bias [O]?,
// count [1]?
// -> [N, O, 2H, 2W].
namespace nlrcnn::conv_transpose2d {

inline constexpr size_t kInputs = 4;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "weight"); !s.ok()) return s;
  const Shape &x = call.in[0].shape, &w = call.in[1].shape;
  if (x.size() != 4) return expected_shape("x", "[N, C, H, W]", x);
  if (w.size() != 4 || w[0] != x[1] || w[1] < 1 || w[2] != 2 || w[3] != 2)
    return expected_shape("weight", ("[" + std::to_string(x[1]) + ", O, 2, 2]").c_str(), w);
  if (Status s = check_bias(call, 2, w[1]); !s.ok()) return s;
  if (Status s = check_count(call, 3); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, {x[0], w[1], 2 * x[2], 2 * x[3]}, Layout::blocked}};
}

}  // namespace nlrcnn::conv_transpose2d
