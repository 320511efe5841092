#pragma once
#include <cmath>
#include <sstream>

#include "core/hd.h"
#include "core/op.h"

// Argument checks that contracts share. Each returns ok or the sentence that the user reads.
namespace nlrcnn {

inline Status check_float(const OpCall& call, size_t input, const char* what) {
  if (!call.has(input))
    return Status::error(Code::argument,
                         std::string("Expected ") + what + " for " + call.name + " but received none");
  if (call.in[input].dtype == DType::f32 || call.in[input].dtype == call.target.compute) return {};
  return Status::error(Code::dtype, std::string("Expected ") + what + " of dtype float32 but received " +
                                        dtype_name(call.in[input].dtype));
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
    return Status::error(Code::dtype, std::string("Expected count of dtype int32 but received ") +
                                          dtype_name(call.in[input].dtype));
  if (call.in[input].shape == Shape{1}) return {};
  return expected_shape("count", "[1]", call.in[input].shape);
}

// Boxes float32 [N, 4]; `rows` where another input fixes N.
inline Status check_boxes(const OpCall& call, size_t input, const char* what, int64_t rows = -1) {
  if (Status s = check_float(call, input, what); !s.ok()) return s;
  const Shape& shape = call.in[input].shape;
  if (shape.size() == 2 && shape[1] == 4 && (rows < 0 || shape[0] == rows)) return {};
  return expected_shape(what, rows < 0 ? "[N, 4]" : ("[" + std::to_string(rows) + ", 4]").c_str(), shape);
}

inline Status check_shape(const OpCall& call, size_t input, const char* what, const Shape& expected) {
  if (Status s = check_float(call, input, what); !s.ok()) return s;
  if (call.in[input].shape == expected) return {};
  return expected_shape(what, to_string(expected).c_str(), call.in[input].shape);
}

// A number within [low, high].
inline Status read_number(const OpCall& call, const char* name, double low, double high, double fallback,
                          double* out) {
  *out = call.attrs.number(name, fallback);
  if (*out >= low && *out <= high) return {};
  std::ostringstream text;
  text << "Expected " << name << " of " << call.name << " within [" << low << ", " << high
       << "] but received " << *out;
  return Status::error(Code::argument, text.str());
}

inline Status read_integer(const OpCall& call, const char* name, int64_t least, int64_t fallback,
                           int64_t* out) {
  double value;
  if (Status s = read_number(call, name, double(least), double(1 << 30), double(fallback), &value); !s.ok())
    return s;
  *out = static_cast<int64_t>(value);
  if (double(*out) == value) return {};
  return Status::error(Code::argument, std::string("Expected an integer for ") + name + " of " + call.name);
}

// Exactly `size` finite numbers.
inline Status read_numbers(const OpCall& call, const char* name, size_t size, std::vector<float>* out) {
  const auto numbers = call.attrs.numbers(name, {});
  out->assign(numbers.begin(), numbers.end());
  bool finite = numbers.size() == size;
  for (float v : *out) finite = finite && std::isfinite(v);
  if (finite) return {};
  return Status::error(Code::argument, "Expected " + std::to_string(size) + " finite numbers for " + name +
                                           " of " + call.name);
}

// A pair of integers of at least `least`.
inline Status read_pair(const OpCall& call, const char* name, int64_t least, int64_t fallback,
                        int64_t out[2]) {
  const auto pair = call.attrs.numbers(name, {double(fallback), double(fallback)});
  for (int i = 0; i < 2; ++i) {
    if (pair.size() != 2 || !(pair[i] >= least) || pair[i] > 1 << 20 ||
        pair[i] != static_cast<int64_t>(pair[i]))
      return Status::error(Code::argument, std::string("Expected ") + name + " of " + call.name +
                                               " to be two integers from " + std::to_string(least) + " on");
    out[i] = static_cast<int64_t>(pair[i]);
  }
  return {};
}

}  // namespace nlrcnn
