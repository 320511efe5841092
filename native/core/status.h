#pragma once
#include <string>
#include <utility>
#include <variant>

namespace nlrcnn {

// The JavaScript `code` is "ERR_NLRCNN_" + name; lib/errors.ts lists the same set.
enum class Code {
  ok,
  argument,
  shape,
  dtype,
  disposed,
  image,
  device,
  out_of_memory,
  unsupported,
  cancelled,
  internal
};

const char* code_name(Code code);

// Errors are values: nothing below the addon throws across a thread or exits.
struct Status {
  Code code = Code::ok;
  std::string message;

  bool ok() const { return code == Code::ok; }
  static Status error(Code code, std::string message) { return {code, std::move(message)}; }
};

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
