#pragma once
#include "ops/check.h"

// torch.nn.functional.max_pool2d: x [N, C, H, W] -> [N, C, H', W'].
namespace nlrcnn::max_pool2d {

inline constexpr size_t kInputs = 1;

struct Settings {
  int64_t kernel[2], stride[2], padding[2];
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (Status s = read_pair(call, "kernel", 1, 0, out->kernel); !s.ok()) return s;
  if (Status s = read_pair(call, "stride", 1, 0, out->stride); !s.ok()) return s;
  if (Status s = read_pair(call, "padding", 0, 0, out->padding); !s.ok()) return s;
  for (int i = 0; i < 2; ++i)
    if (2 * out->padding[i] > out->kernel[i])
      return Status::error(Code::argument, "Expected padding of max_pool2d to be at most half of the kernel");
  return {};
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::blocked;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  const Shape& x = call.in[0].shape;
  if (x.size() != 4) return expected_shape("x", "[N, C, H, W]", x);
  Shape out{x[0], x[1], 0, 0};
  for (int i = 0; i < 2; ++i) {
    const int64_t room = x[2 + i] + 2 * settings.padding[i] - settings.kernel[i];
    if (room < 0) return expected_shape("x", "with padding at least as large as the kernel", x);
    out[2 + i] = room / settings.stride[i] + 1;
  }
  return std::vector<TensorDesc>{{call.target.compute, out, Layout::blocked}};
}

}  // namespace nlrcnn::max_pool2d
