#pragma once
#include <node_api_types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"

// JavaScript's values, and the one place that calls Node-API (js.cpp). Any call is refused once an exception
// is pending or the environment is ending, which a worker's does at any moment; each of these functions then
// throws Refused, so that no value is used unchecked. Every way into the addon catches it: functions and
// classes through enter(), the queue through Channel. This header names Node-API's types only: elsewhere its
// functions are unknown.
namespace nlrcnn::js {

using Env = napi_env;

// Node-API refused a call. Says nothing to JavaScript, which has thrown itself or runs no more.
struct Refused {
  napi_status status;
};

// An error for JavaScript, thrown to where JavaScript called.
struct Failure {
  Status status;
};
[[noreturn]] void fail(Code code, std::string message);
void check(const Status& status);
template <class T>
T check(Result<T> result) {
  if (!result.ok()) throw Failure{result.status()};
  return std::move(result.value());
}

// Memory of a typed array, shared or not, until JavaScript runs again.
struct Memory {
  napi_typedarray_type type;
  size_t count, bytes;
  const void* data;
};

// A value within a call of the addon. Reading properties and elements may run JavaScript (getters, proxies),
// which may dispose of, detach or throw anything.
class Value {
 public:
  Value(Env env, napi_value raw) : env_(env), raw_(raw) {}
  Env env() const { return env_; }
  napi_value raw() const { return raw_; }

  bool is_undefined() const { return type() == napi_undefined; }
  bool is_missing() const { return type() == napi_undefined || type() == napi_null; }
  bool is_array() const;
  bool truthy() const;
  // Nothing where the value is of another type.
  std::optional<double> number() const;
  std::optional<bool> boolean() const;
  std::optional<std::string> text() const;
  std::optional<Memory> memory() const;
  // As error messages have it: the text or number itself, else its type. Runs no JavaScript.
  std::string described() const;

  uint32_t length() const;  // of an array
  Value at(uint32_t index) const;
  std::vector<std::string> keys() const;  // of an object; Failure for other values
  Value get(const std::string& name) const;

  void set(uint32_t index, const Value& value) const;
  void set(const char* name, const Value& value) const;

 private:
  napi_valuetype type() const;

  Env env_;
  napi_value raw_;
};

Value undefined(Env env);
Value null(Env env);
Value to_js(Env env, bool value);
Value to_js(Env env, double value);
Value to_js(Env env, const std::string& value);
inline Value to_js(Env env, const char* value) {
  return to_js(env, std::string(value));
}
Value array(Env env, size_t length = 0);
Value object(Env env);
// A typed array over `storage`, whose first `bytes` it holds; small ones are copied.
Value typed_array(Env env, napi_typedarray_type type, const std::shared_ptr<Storage>& storage, size_t bytes);
// An NlrcnnError, where lib/binding.ts has given its class (use_error_class).
Value error(Env env, const Status& status);

// Calls of a function or method.
class Call {
 public:
  Call(Env env, napi_callback_info info);
  Env env() const { return env_; }
  Value operator[](size_t index) const;  // undefined beyond the last
  Value self() const { return {env_, self_}; }
  bool constructing() const;

 private:
  static constexpr size_t kMost = 8;
  Env env_;
  napi_callback_info info_;
  napi_value arguments_[kMost];
  size_t count_ = kMost;
  napi_value self_ = nullptr;
};

// Runs `body`; what it throws becomes JavaScript's exception.
using Body = Value (*)(const Call&);
napi_value enter(Env env, napi_callback_info info, Body body) noexcept;

template <Body F>
napi_value function_entry(napi_env env, napi_callback_info info) {
  return enter(env, info, F);
}
// Sets a function as a property of `object`.
void define_function(const Value& object, const char* name, napi_callback entry);
template <Body F>
void define(const Value& object, const char* name) {
  define_function(object, name, function_entry<F>);
}

// A value kept beyond a call, for as long as its environment.
class Kept {
 public:
  Kept() = default;
  explicit Kept(const Value& value);
  explicit operator bool() const { return reference_ != nullptr; }
  Value value(Env env) const;

 private:
  napi_ref reference_ = nullptr;
};

// Data of an environment: one of a kind, deleted after everything else of it.
void set_instance_data(Env env, void* data, void (*release)(void*));
void* instance_data(Env env);
// Called as the environment goes down, the last added first, before channels opened earlier close.
void add_cleanup_hook(Env env, void (*hook)(void*), void* data);
// Tells the garbage collector of memory that objects hold. Also from destructors.
void adjust_external_memory(Env env, int64_t bytes) noexcept;

// Objects of JavaScript that each own a T, which says:
//   static constexpr const char* kName;
//   static constexpr napi_type_tag kTag;
//   static std::unique_ptr<T> construct(const Call&);   of `new T(…)` in JavaScript
// and is destroyed as the object is collected, where only adjust_external_memory may be called.
struct Member {
  const char* name;
  napi_callback method, getter;
};
struct ClassTraits {
  const char* name;
  const napi_type_tag* tag;
  void* (*construct)(const Call&);
  void (*destroy)(void*);
};
void* unwrap(const Value& value, const ClassTraits& traits);  // null where it is no such object
napi_value enter_constructor(Env env, napi_callback_info info, const ClassTraits& traits) noexcept;
Value define_class(Env env, const ClassTraits& traits, napi_callback constructor,
                   const std::vector<Member>& members);
Value make_instance(Env env, const Kept& constructor, const ClassTraits& traits, void* object);

template <class T>
const ClassTraits kTraits = {T::kName, &T::kTag,
                             [](const Call& call) -> void* { return T::construct(call).release(); },
                             [](void* object) { delete static_cast<T*>(object); }};

// The T of an object, or null.
template <class T>
T* of(const Value& value) {
  return static_cast<T*>(unwrap(value, kTraits<T>));
}

template <class T, Value (T::*M)(const Call&)>
napi_value method_entry(napi_env env, napi_callback_info info) {
  return enter(env, info, [](const Call& call) {
    T* self = of<T>(call.self());
    if (!self) fail(Code::argument, std::string("Expected to be called on a ") + T::kName);
    return (self->*M)(call);
  });
}
template <class T, Value (T::*M)(const Call&)>
Member method(const char* name) {
  return {name, method_entry<T, M>, nullptr};
}
template <class T, Value (T::*M)(const Call&)>
Member getter(const char* name) {
  return {name, nullptr, method_entry<T, M>};
}

template <class T>
Value define_class(Env env, const std::vector<Member>& members) {
  return define_class(
      env, kTraits<T>,
      [](napi_env env, napi_callback_info info) { return enter_constructor(env, info, kTraits<T>); },
      members);
}
template <class T>
Value make(Env env, const Kept& constructor, std::unique_ptr<T> object) {
  return make_instance(env, constructor, kTraits<T>, object.release());
}

// A promise and what settles it, once.
class Deferred {
 public:
  explicit Deferred(Env env);
  Value promise(Env env) const { return {env, promise_}; }
  // Resolves with what `make` gives, or rejects with what it throws.
  void settle(Env env, const Status& status, const std::function<Value()>& make) const noexcept;

 private:
  napi_deferred deferred_;
  napi_value promise_;
};

// Brings calls from any thread to JavaScript's. It keeps the process alive only while held.
class Channel {
 public:
  using Done = std::function<void(Env)>;

  void open(Env env);
  void hold(Env env) noexcept;
  void release(Env env) noexcept;
  // From any thread, until the cleanup hooks that were added after open() have run. `done` is dropped where
  // the environment goes down first.
  void call(Done done) const noexcept;

 private:
  napi_threadsafe_function function_ = nullptr;
};

}  // namespace nlrcnn::js
