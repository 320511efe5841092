#pragma once
#include "core/op.h"

// Argument checks that contracts share. Each returns ok or the sentence that the user reads.
namespace nlrcnn {

inline Status check_float(const OpCall& call, size_t input, const char* what) {
  if (!call.has(input)) return Status::error(Code::argument, std::string("Expected ") + what + " for " + call.name + " but received none");
  if (call.in[input].dtype == DType::f32) return {};
  return Status::error(Code::dtype,
                       std::string("Expected ") + what + " of dtype float32 but received " + dtype_name(call.in[input].dtype));
}

inline Status check_bias(const OpCall& call, size_t input, int64_t size) {
  if (!call.has(input)) return {};
  if (Status s = check_float(call, input, "bias"); !s.ok()) return s;
  if (call.in[input].shape == Shape{size}) return {};
  return expected_shape("bias", ("[" + std::to_string(size) + "]").c_str(), call.in[input].shape);
}

inline Status check_count(const OpCall& call, size_t input) {
  if (!call.has(input)) return {};
  if (call.in[input].dtype != DType::i32)
    return Status::error(Code::dtype, std::string("Expected count of dtype int32 but received ") + dtype_name(call.in[input].dtype));
  if (call.in[input].shape == Shape{1}) return {};
  return expected_shape("count", "[1]", call.in[input].shape);
}

// A pair of integers of at least `least`.
inline Status read_pair(const OpCall& call, const char* name, int64_t least, int64_t fallback, int64_t out[2]) {
  const auto pair = call.attrs.numbers(name, {double(fallback), double(fallback)});
  for (int i = 0; i < 2; ++i) {
    if (pair.size() != 2 || !(pair[i] >= least) || pair[i] > 1 << 20 || pair[i] != static_cast<int64_t>(pair[i]))
      return Status::error(Code::argument, std::string("Expected ") + name + " of " + call.name + " to be two integers from " +
                                               std::to_string(least) + " on");
    out[i] = static_cast<int64_t>(pair[i]);
  }
  return {};
}

}  // namespace nlrcnn
