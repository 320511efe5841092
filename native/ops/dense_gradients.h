#pragma once
#include "ops/check.h"

// What the gradients of dense layers share: inputs grad, x, weight, y? and count?, and the outputs that the
// settings dx, dweight, dbias and dresidual ask for, in this order. With a ReLU y is what the layer gave; the
// residual has a gradient of its own only then, else it is grad itself.
namespace nlrcnn::dense_gradients {

inline constexpr size_t kInputs = 5;
enum Input : size_t { grad, x, weight, y, count };

// Which output each gradient is; -1 where none is asked for.
struct Asked {
  int dx = -1, dweight = -1, dbias = -1, dresidual = -1;
};

inline Asked read_asked(const OpCall& call) {
  Asked asked;
  int next = 0;
  if (call.attrs.flag("dx")) asked.dx = next++;
  if (call.attrs.flag("dweight")) asked.dweight = next++;
  if (call.attrs.flag("dbias")) asked.dbias = next++;
  if (call.attrs.flag("dresidual")) asked.dresidual = next++;
  return asked;
}

// The call of the layer whose gradients these are.
inline OpCall forward_call(const OpCall& call, const char* name) {
  OpCall forward{name,       call.attrs, {call.in[x], call.in[weight]}, {}, {call.has(x), call.has(weight)},
                 call.target};
  return forward;
}

// The gradients of a layer that gives `out`; that of x lies as `dx_layout` says.
inline Result<std::vector<TensorDesc>> infer(const OpCall& call, const TensorDesc& out, Layout dx_layout) {
  if (Status s = check_shape(call, grad, "grad", out.shape); !s.ok()) return s;
  const bool relu = call.attrs.flag("relu");
  if (relu != call.has(y))
    return Status::error(Code::argument, "Expected y of " + call.name + " with a ReLU and only then");
  if (relu)
    if (Status s = check_shape(call, y, "y", out.shape); !s.ok()) return s;
  if (Status s = check_count(call, count); !s.ok()) return s;
  const Asked asked = read_asked(call);
  if (asked.dresidual >= 0 && !relu)
    return Status::error(Code::argument,
                         "Expected dresidual of " + call.name + " with a ReLU alone: it is grad otherwise");
  std::vector<TensorDesc> outputs;
  const Shape &in = call.in[x].shape, &w = call.in[weight].shape;
  if (asked.dx >= 0) outputs.push_back({call.target.compute, in, dx_layout});
  if (asked.dweight >= 0) outputs.push_back({DType::f32, w});
  if (asked.dbias >= 0) outputs.push_back({DType::f32, {out.shape[1]}});
  if (asked.dresidual >= 0) outputs.push_back({call.target.compute, out.shape, out.layout});
  if (outputs.empty())
    return Status::error(
        Code::argument,
        "Expected at least one of dx, dweight, dbias and dresidual to be asked of " + call.name);
  return outputs;
}

}  // namespace nlrcnn::dense_gradients
