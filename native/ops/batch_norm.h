#pragma once
#include "ops/norm.h"

// torch.nn.functional.batch_norm in training, with residual and ReLU behind it: x [N, C, H, W], weight [C],
// bias [C], running_mean [C]? and running_var [C]? (updated in place), residual [N, C, H, W]? -> y [N, C, H,
// W], the batch's mean [C] and 1 / sqrt(var + eps) [C].
namespace nlrcnn::batch_norm {

inline constexpr size_t kInputs = 6;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 || input == 5 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  double momentum;
  if (Status s = norm::check_input(call); !s.ok()) return s;
  const Shape& x = call.in[0].shape;
  if (x[0] * x[2] * x[3] == 1)
    return Status::error(
        Code::shape,
        "Expected more than one value of each channel for batch_norm but received " + to_string(x));
  if (call.has(3) != call.has(4))
    return Status::error(Code::argument,
                         "Expected both running_mean and running_var for batch_norm, or none");
  for (size_t i : {3, 4}) {
    if (!call.has(i)) continue;
    const char* name = i == 3 ? "running_mean" : "running_var";
    if (Status s = check_shape(call, i, name, {x[1]}); !s.ok()) return s;
    if (Status s = norm::check_in_place(call, i, name); !s.ok()) return s;
  }
  if (call.has(5))
    if (Status s = check_shape(call, 5, "residual", x); !s.ok()) return s;
  if (Status s = read_number(call, "momentum", 0, 1, 0.1, &momentum); !s.ok()) return s;
  return std::vector<TensorDesc>{
      {call.target.compute, x, Layout::blocked}, {DType::f32, {x[1]}}, {DType::f32, {x[1]}}};
}

}  // namespace nlrcnn::batch_norm
