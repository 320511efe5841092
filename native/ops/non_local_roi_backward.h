#pragma once
#include "ops/non_local_roi.h"

// Gradients of non_local_roi: its inputs with grad_y [K, D_g] before them -> of x, phi.weight, phi.bias,
// psi.weight, psi.bias, g_1x1.weight, g_1x1.bias, g_3x3.weight, g_3x3.bias, w_f; those of inputs that the
// form does not have are empty. Weights' gradients are float32.
namespace nlrcnn::non_local_roi_backward {

inline constexpr size_t kInputs = 1 + non_local_roi::kInputs;

// The call of the op whose gradient this is.
inline OpCall forward_call(const OpCall& call) {
  OpCall forward = call;
  forward.name = "non_local_roi";
  forward.in.erase(forward.in.begin());
  forward.present.erase(forward.present.begin());
  return forward;
}

inline Wants wants(const OpCall&, size_t input) {
  if (input == 0) return Wants::activation;
  return input == 1 ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  using namespace non_local_roi;
  if (call.in.size() < 2)
    return Status::error(Code::argument, "Expected grad_y and the inputs of non_local_roi");
  const OpCall forward = forward_call(call);
  auto y = non_local_roi::infer(forward);
  if (!y.ok()) return y.status();
  if (Status s = check_shape(call, 0, "grad_y", y.value()[0].shape); !s.ok()) return s;
  Settings settings;
  if (Status s = read_settings(forward, &settings); !s.ok()) return s;
  std::vector<TensorDesc> out{{call.target.compute, forward.in[x].shape, Layout::blocked}};
  for (size_t i = phi_weight; i <= w_f; ++i) {
    const bool used = i == w_f                             ? settings.pairwise == Pairwise::concatenation
                      : i <= static_cast<size_t>(psi_bias) ? settings.pairwise != Pairwise::gaussian
                                                           : true;
    out.push_back({DType::f32, used ? forward.in[i].shape : Shape{0}});
  }
  return out;
}

}  // namespace nlrcnn::non_local_roi_backward
