#pragma once
#include "ops/check.h"

// torch.cat along the first axis: any number of x [n, …] of one shape but for n -> [sum of n, …], in the
// layout of the first.
namespace nlrcnn::concat {

inline constexpr size_t kInputs = 0;

inline Wants wants(const OpCall& call, size_t) {
  return call.in[0].layout == Layout::blocked ? Wants::blocked : Wants::activation;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (call.in.empty()) return Status::error(Code::argument, "Expected at least one input of concat");
  TensorDesc out{call.target.compute, {}, Layout::plain};
  for (size_t i = 0; i < call.in.size(); ++i) {
    if (Status s = check_float(call, i, "inputs"); !s.ok()) return s;
    const Shape& shape = call.in[i].shape;
    if (shape.empty()) return expected_shape("inputs", "[n, …]", shape);
    if (i == 0) {
      out.shape = shape;
      out.layout = call.in[0].layout;
      continue;
    }
    Shape wanted = out.shape;
    wanted[0] = shape[0];
    if (shape != wanted) return expected_shape("inputs", to_string(wanted).c_str(), shape);
    out.shape[0] += shape[0];
  }
  return std::vector<TensorDesc>{out};
}

}  // namespace nlrcnn::concat
