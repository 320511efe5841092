#pragma once
#include "ops/check.h"

// torch.nn.functional.conv2d with residual and ReLU: x [N, C, H, W], weight [O, C / groups, kh, kw], bias
// [O]?, residual [N, O, H', W']?, count [1]? -> [N, O, H', W'].
namespace nlrcnn::conv2d {

inline constexpr size_t kInputs = 5;

struct Settings {
  int64_t stride[2], padding[2], dilation[2], groups;
  bool relu;
};

inline Status read_settings(const OpCall& call, Settings* out) {
  out->groups = call.attrs.integer("groups", 1);
  out->relu = call.attrs.flag("relu");
  if (out->groups < 1) return Status::error(Code::argument, "Expected groups of conv2d to be at least 1");
  if (Status s = read_pair(call, "stride", 1, 1, out->stride); !s.ok()) return s;
  if (Status s = read_pair(call, "padding", 0, 0, out->padding); !s.ok()) return s;
  return read_pair(call, "dilation", 1, 1, out->dilation);
}

// On the CPU few channels (a picture) are read as they are; the kernel writes blocked either way.
inline Wants wants(const OpCall& call, size_t input) {
  if (input == 0) return call.in[0].shape[1] <= 4 && !call.target.cuda ? Wants::plain : Wants::blocked;
  return input == 3 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "weight"); !s.ok()) return s;
  Settings settings;
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  const Shape &x = call.in[0].shape, &w = call.in[1].shape;
  if (x.size() != 4) return expected_shape("x", "[N, C, H, W]", x);
  if (w.size() != 4 || w[0] < 1 || w[0] % settings.groups || w[1] * settings.groups != x[1] || w[2] < 1 ||
      w[3] < 1)
    return expected_shape("weight", ("[O, " + std::to_string(x[1]) + " / groups, kh, kw]").c_str(), w);
  Shape out{x[0], w[0], 0, 0};
  for (int i = 0; i < 2; ++i) {
    const int64_t reach = settings.dilation[i] * (w[2 + i] - 1) + 1;
    out[2 + i] = (x[2 + i] + 2 * settings.padding[i] - reach) / settings.stride[i] + 1;
    if (x[2 + i] + 2 * settings.padding[i] < reach)
      return expected_shape("x", "with padding at least as large as the kernel", x);
  }
  if (Status s = check_bias(call, 2, w[0]); !s.ok()) return s;
  if (call.has(3)) {
    if (Status s = check_float(call, 3, "residual"); !s.ok()) return s;
    if (call.in[3].shape != out) return expected_shape("residual", to_string(out).c_str(), call.in[3].shape);
  }
  if (Status s = check_count(call, 4); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute, out, Layout::blocked}};
}

}  // namespace nlrcnn::conv2d
