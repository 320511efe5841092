#pragma once
#include "ops/check.h"

// The gradient of split_channels: left [O, a, …]?, right [O, b, …]? -> side by side [O, a + b, …], float32.
// Where one is absent, `channels` says a + b and zeros stand for it.
namespace nlrcnn::split_channels_backward {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t channels;
  const size_t given = call.has(0) ? 0 : 1;
  if (Status s = check_float(call, given, "left or right"); !s.ok()) return s;
  Shape shape = call.in[given].shape;
  if (shape.size() < 2) return expected_shape("left", "[O, a, …]", shape);
  if (Status s = read_integer(call, "channels", shape[1], 0, &channels); !s.ok()) return s;
  if (call.has(0) && call.has(1)) {
    Shape other = shape;
    other[1] = channels - shape[1];
    if (Status s = check_shape(call, 1, "right", other); !s.ok()) return s;
  }
  shape[1] = channels;
  return std::vector<TensorDesc>{{DType::f32, shape}};
}

}  // namespace nlrcnn::split_channels_backward
