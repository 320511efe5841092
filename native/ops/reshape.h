#pragma once
#include "ops/check.h"

// x -> its values, float32 row-major, in another `shape` of as many.
namespace nlrcnn::reshape {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  Shape shape;
  for (double v : call.attrs.numbers("shape", {})) {
    if (!(v >= 0) || v > double(int64_t{1} << 40) || v != static_cast<double>(static_cast<int64_t>(v)))
      return Status::error(Code::argument, "Expected non-negative integers for shape of reshape");
    shape.push_back(static_cast<int64_t>(v));
  }
  if (element_count(shape) != element_count(call.in[0].shape))
    return Status::error(Code::shape, "Expected a shape of as many values as " + to_string(call.in[0].shape) +
                                          " for reshape but received " + to_string(shape));
  return std::vector<TensorDesc>{{DType::f32, shape}};
}

}  // namespace nlrcnn::reshape
