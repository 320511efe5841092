#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace nlrcnn {

// Every `code` of an error of the package: the JavaScript one is "ERR_NLRCNN_" and the second. A test holds
// lib/errors.ts to this list.
#define NLRCNN_CODES(X)             \
  X(argument, "ARGUMENT")           \
  X(shape, "SHAPE")                 \
  X(dtype, "DTYPE")                 \
  X(disposed, "DISPOSED")           \
  X(image, "IMAGE")                 \
  X(weights, "WEIGHTS")             \
  X(config, "CONFIG")               \
  X(dataset, "DATASET")             \
  X(diverged, "DIVERGED")           \
  X(io, "IO")                       \
  X(device, "DEVICE")               \
  X(out_of_memory, "OUT_OF_MEMORY") \
  X(unsupported, "UNSUPPORTED")     \
  X(cancelled, "CANCELLED")         \
  X(internal, "INTERNAL")

#define NLRCNN_CODE(code, name) code,
enum class Code { ok, NLRCNN_CODES(NLRCNN_CODE) };
#undef NLRCNN_CODE

// "ERR_NLRCNN_SHAPE"
const char* code_name(Code code);
std::vector<std::string> code_names();

// Errors are values: nothing below the addon throws across a thread or exits.
struct Status {
  Code code = Code::ok;
  std::string message;

  bool ok() const { return code == Code::ok; }
  static Status error(Code code, std::string message) { return {code, std::move(message)}; }
};

// In a catch block: the Status of what was thrown.
Status status_of_exception();

// The Status that `body` returns, also where the standard library or oneDNN throws in it: work that a thread
// of a device runs has nobody above it to catch.
template <class F>
Status caught(F&& body) {
  try {
    return body();
  } catch (...) {
    return status_of_exception();
  }
}

template <class T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Status status) : state_(std::move(status)) {}

  bool ok() const { return std::holds_alternative<T>(state_); }
  const Status& status() const { return std::get<Status>(state_); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace nlrcnn
