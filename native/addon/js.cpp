#include "addon/js.h"

#include <napi.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "addon/addon.h"
#include "addon/environment.h"

namespace nlrcnn::js {
namespace {

constexpr size_t kSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};  // of an element, by napi_typedarray_type
constexpr size_t kCopyBelow = 64 << 10;  // smaller arrays are copied rather than lent to V8

void check(napi_status status) {
  if (status != napi_ok) throw Refused{status};
}

// What is thrown within an entry becomes JavaScript's exception. Where that is refused, too, JavaScript has
// one already or runs no more.
void throw_in_js(Env env, const Status& status) noexcept {
  try {
    napi_throw(env, error(env, status).raw());
  } catch (const Refused&) {
  }
}

bool exception_pending(Env env) {
  bool pending = false;
  return napi_is_exception_pending(env, &pending) != napi_ok || pending;
}

Status internal(const Refused& refused) {
  return Status::error(Code::internal, "Node-API refused a call, status " + std::to_string(refused.status));
}

template <class F>
napi_value guarded(Env env, F body) noexcept {
  try {
    return body();
  } catch (const Refused& refused) {
    if (!exception_pending(env)) throw_in_js(env, internal(refused));
  } catch (const Failure& failure) {
    throw_in_js(env, failure.status);
  } catch (...) {
    throw_in_js(env, status_of_exception());
  }
  return nullptr;
}

// The object that make_instance() hands to the constructor it calls, in the same thread.
thread_local void* handed_over = nullptr;

}  // namespace

void fail(Code code, std::string message) {
  throw Failure{Status::error(code, std::move(message))};
}

void check(const Status& status) {
  if (!status.ok()) throw Failure{status};
}

napi_valuetype Value::type() const {
  napi_valuetype type;
  check(napi_typeof(env_, raw_, &type));
  return type;
}

bool Value::is_array() const {
  bool yes;
  check(napi_is_array(env_, raw_, &yes));
  return yes;
}

bool Value::truthy() const {
  napi_value coerced;
  bool yes;
  check(napi_coerce_to_bool(env_, raw_, &coerced));
  check(napi_get_value_bool(env_, coerced, &yes));
  return yes;
}

std::optional<double> Value::number() const {
  if (type() != napi_number) return {};
  double out;
  check(napi_get_value_double(env_, raw_, &out));
  return out;
}

std::optional<bool> Value::boolean() const {
  if (type() != napi_boolean) return {};
  bool out;
  check(napi_get_value_bool(env_, raw_, &out));
  return out;
}

std::optional<std::string> Value::text() const {
  if (type() != napi_string) return {};
  size_t bytes;
  check(napi_get_value_string_utf8(env_, raw_, nullptr, 0, &bytes));
  std::string out(bytes, '\0');
  check(napi_get_value_string_utf8(env_, raw_, out.data(), bytes + 1, &bytes));
  return out;
}

std::optional<Memory> Value::memory() const {
  bool typed;
  check(napi_is_typedarray(env_, raw_, &typed));
  if (!typed) return {};
  Memory out{};  // of a kind that nobody asks for, where Node-API does not know the array's
  void* data;
  // Not the array's buffer: over shared memory it is none that Node-API knows.
  check(napi_get_typedarray_info(env_, raw_, &out.type, &out.count, &data, nullptr, nullptr));
  if (static_cast<size_t>(out.type) >= std::size(kSizes)) return {};  // a kind that came after these
  out.bytes = out.count * kSizes[out.type];
  out.data = data;
  return out;
}

std::string Value::described() const {
  if (auto own = text()) return *own;
  if (type() == napi_number) {  // whose conversion runs no JavaScript
    napi_value own;
    check(napi_coerce_to_string(env_, raw_, &own));
    return Value(env_, own).text().value_or("");
  }
  if (is_array()) return "an array";
  static constexpr const char* kNames[] = {"undefined", "null",      "a boolean",  "a number", "a string",
                                           "a symbol",  "an object", "a function", "",         "a bigint"};
  const napi_valuetype own = type();
  return static_cast<size_t>(own) < std::size(kNames) ? kNames[own] : "a value of another kind";
}

uint32_t Value::length() const {
  uint32_t out;
  check(napi_get_array_length(env_, raw_, &out));
  return out;
}

Value Value::at(uint32_t index) const {
  napi_value out;
  check(napi_get_element(env_, raw_, index, &out));
  return {env_, out};
}

std::vector<std::string> Value::keys() const {
  if (type() != napi_object) fail(Code::argument, "Expected an object but received " + described());
  napi_value names;
  check(napi_get_property_names(env_, raw_, &names));
  std::vector<std::string> out;
  const Value list(env_, names);
  for (uint32_t i = 0; i < list.length(); ++i) out.push_back(list.at(i).text().value_or(""));
  return out;
}

Value Value::get(const std::string& name) const {
  napi_value out;
  check(napi_get_property(env_, raw_, to_js(env_, name).raw(), &out));
  return {env_, out};
}

void Value::set(uint32_t index, const Value& value) const {
  check(napi_set_element(env_, raw_, index, value.raw()));
}

void Value::set(const char* name, const Value& value) const {
  check(napi_set_named_property(env_, raw_, name, value.raw()));
}

Value undefined(Env env) {
  napi_value out;
  check(napi_get_undefined(env, &out));
  return {env, out};
}

Value null(Env env) {
  napi_value out;
  check(napi_get_null(env, &out));
  return {env, out};
}

Value to_js(Env env, bool value) {
  napi_value out;
  check(napi_get_boolean(env, value, &out));
  return {env, out};
}

Value to_js(Env env, double value) {
  napi_value out;
  check(napi_create_double(env, value, &out));
  return {env, out};
}

Value to_js(Env env, const std::string& value) {
  napi_value out;
  check(napi_create_string_utf8(env, value.data(), value.size(), &out));
  return {env, out};
}

Value array(Env env, size_t length) {
  napi_value out;
  check(napi_create_array_with_length(env, length, &out));
  return {env, out};
}

Value object(Env env) {
  napi_value out;
  check(napi_create_object(env, &out));
  return {env, out};
}

Value typed_array(Env env, napi_typedarray_type type, const std::shared_ptr<Storage>& storage, size_t bytes) {
  napi_value buffer = nullptr;
  if (bytes >= kCopyBelow) {
    auto* owner = new std::shared_ptr<Storage>(storage);
    const napi_status status = napi_create_external_arraybuffer(
        env, storage->data(), bytes,
        [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Storage>*>(hint); }, owner,
        &buffer);
    // Hosts with a V8 sandbox refuse memory from outside, and get a copy. Any other refusal may come after
    // Node took the owner, which it then frees itself.
    if (status == napi_no_external_buffers_allowed)
      delete owner;
    else
      check(status);
  }
  if (!buffer) {
    void* data;
    check(napi_create_arraybuffer(env, bytes, &data, &buffer));
    if (bytes) std::memcpy(data, storage->data(), bytes);
  }
  napi_value out;
  check(napi_create_typedarray(env, type, bytes / kSizes[type], buffer, 0, &out));
  return {env, out};
}

Value error(Env env, const Status& status) {
  const Value code = to_js(env, code_name(status.code)), message = to_js(env, status.message);
  napi_value out;
  if (const Kept& own = addon::Environment::of(env).error_class) {
    const napi_value arguments[] = {code.raw(), message.raw()};
    check(napi_new_instance(env, own.value(env).raw(), 2, arguments, &out));
  } else {
    check(napi_create_error(env, code.raw(), message.raw(), &out));
  }
  return {env, out};
}

Call::Call(Env env, napi_callback_info info) : env_(env), info_(info) {
  check(napi_get_cb_info(env, info, &count_, arguments_, &self_, nullptr));
}

Value Call::operator[](size_t index) const {
  return index < std::min(count_, kMost) ? Value(env_, arguments_[index]) : undefined(env_);
}

bool Call::constructing() const {
  napi_value target;
  check(napi_get_new_target(env_, info_, &target));
  return target != nullptr;
}

napi_value enter(Env env, napi_callback_info info, Body body) noexcept {
  return guarded(env, [&] { return body(Call(env, info)).raw(); });
}

void define_function(const Value& object, const char* name, napi_callback entry) {
  napi_value out;
  check(napi_create_function(object.env(), name, NAPI_AUTO_LENGTH, entry, nullptr, &out));
  object.set(name, {object.env(), out});
}

Kept::Kept(const Value& value) {
  check(napi_create_reference(value.env(), value.raw(), 1, &reference_));
}

Value Kept::value(Env env) const {
  napi_value out = nullptr;
  check(napi_get_reference_value(env, reference_, &out));
  if (!out) throw Refused{napi_generic_failure};
  return {env, out};
}

void set_instance_data(Env env, void* data, void (*release)(void*)) {
  check(napi_set_instance_data(
      env, data, [](napi_env, void* data, void* hint) { reinterpret_cast<void (*)(void*)>(hint)(data); },
      reinterpret_cast<void*>(release)));
}

void* instance_data(Env env) {
  void* data = nullptr;
  check(napi_get_instance_data(env, &data));
  if (!data) throw Refused{napi_generic_failure};
  return data;
}

void add_cleanup_hook(Env env, void (*hook)(void*), void* data) {
  check(napi_add_env_cleanup_hook(env, hook, data));
}

void adjust_external_memory(Env env, int64_t bytes) noexcept {
  int64_t total;
  if (bytes) napi_adjust_external_memory(env, bytes, &total);
}

void* unwrap(const Value& value, const ClassTraits& traits) {
  napi_valuetype type;
  check(napi_typeof(value.env(), value.raw(), &type));
  if (type != napi_object) return nullptr;
  bool tagged = false;
  check(napi_check_object_type_tag(value.env(), value.raw(), traits.tag, &tagged));
  void* out = nullptr;
  if (tagged) check(napi_unwrap(value.env(), value.raw(), &out));
  return out;
}

napi_value enter_constructor(Env env, napi_callback_info info, const ClassTraits& traits) noexcept {
  return guarded(env, [&]() -> napi_value {
    void* object = std::exchange(handed_over, nullptr);
    try {
      const Call call(env, info);
      if (!call.constructing())
        fail(Code::argument, std::string("Expected new ") + traits.name + " but received a call without new");
      if (!object) object = traits.construct(call);
      const napi_value self = call.self().raw();
      // The tag first: an object that is wrapped without it would own what this catch destroys.
      check(napi_type_tag_object(env, self, traits.tag));
      check(napi_wrap(
          env, self, object,
          [](napi_env, void* data, void* hint) { static_cast<const ClassTraits*>(hint)->destroy(data); },
          const_cast<ClassTraits*>(&traits), nullptr));
      return self;
    } catch (...) {
      if (object) traits.destroy(object);
      throw;
    }
  });
}

Value define_class(Env env, const ClassTraits& traits, napi_callback constructor,
                   const std::vector<Member>& members) {
  std::vector<napi_property_descriptor> properties;
  for (const Member& member : members)
    properties.push_back(
        {member.name, nullptr, member.method, member.getter, nullptr, nullptr, napi_default_method, nullptr});
  napi_value out;
  check(napi_define_class(env, traits.name, NAPI_AUTO_LENGTH, constructor, nullptr, properties.size(),
                          properties.data(), &out));
  return {env, out};
}

Value make_instance(Env env, const Kept& constructor, const ClassTraits& traits, void* object) {
  try {
    handed_over = object;
    const Value own = constructor.value(env);
    napi_value out;
    check(napi_new_instance(env, own.raw(), 0, nullptr, &out));
    return {env, out};
  } catch (const Refused&) {
    // Unless the constructor ran and took it.
    if (std::exchange(handed_over, nullptr) == object) traits.destroy(object);
    throw;
  }
}

Deferred::Deferred(Env env) {
  check(napi_create_promise(env, &deferred_, &promise_));
}

void Deferred::settle(Env env, const Status& status, const std::function<Value()>& make) const noexcept {
  Status outcome = status;
  try {
    if (outcome.ok()) {
      std::optional<Value> made;
      try {
        made = make();
      } catch (const Failure& failure) {
        outcome = failure.status;
      } catch (const Refused& refused) {
        outcome = internal(refused);
      } catch (...) {
        outcome = status_of_exception();
      }
      if (made) {  // once only: Node frees the deferred also where this is refused
        check(napi_resolve_deferred(env, deferred_, made->raw()));
        return;
      }
      napi_value dropped;
      if (exception_pending(env)) check(napi_get_and_clear_last_exception(env, &dropped));
    }
    check(napi_reject_deferred(env, deferred_, error(env, outcome).raw()));
  } catch (const Refused&) {
    // Nobody is left who could wait, or a getter of JavaScript's own threw, of which the promise knows.
    napi_value dropped;
    if (exception_pending(env) && napi_get_and_clear_last_exception(env, &dropped) != napi_ok) return;
  }
}

void Channel::open(Env env) {
  const Value name = to_js(env, "nlrcnn");
  check(napi_create_threadsafe_function(
      env, nullptr, nullptr, name.raw(), 0, 1, nullptr, nullptr, nullptr,
      [](napi_env env, napi_value, void*, void* data) {
        const std::unique_ptr<Done> done(static_cast<Done*>(data));
        if (!env) return;  // it is going down
        try {
          (*done)(env);
        } catch (...) {  // it has told whom it could
        }
      },
      &function_));
  release(env);
}

void Channel::hold(Env env) noexcept {
  napi_ref_threadsafe_function(env, function_);
}

void Channel::release(Env env) noexcept {
  napi_unref_threadsafe_function(env, function_);
}

void Channel::call(Done done) const noexcept {
  auto own = std::make_unique<Done>(std::move(done));
  if (napi_call_threadsafe_function(function_, own.get(), napi_tsfn_blocking) == napi_ok) own.release();
}

}  // namespace nlrcnn::js

// node-addon-api registers the module; what it does beyond that ends the process where a call is refused.
static Napi::Object start(Napi::Env env, Napi::Object exports) {
  nlrcnn::js::guarded(env, [&]() -> napi_value {
    nlrcnn::addon::init(nlrcnn::js::Value(env, exports));
    return nullptr;
  });
  return exports;
}

NODE_API_MODULE(nlrcnn, start)
