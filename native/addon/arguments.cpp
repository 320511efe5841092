#include "addon/arguments.h"

#include <cstring>

namespace nlrcnn::addon {
namespace {

constexpr double kMaxDimension = 1ull << 40;
constexpr size_t kCopyBelow = 64 << 10;  // a smaller result is copied rather than lent to V8

napi_typedarray_type array_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return napi_float32_array;
    case DType::u8:
      return napi_uint8_array;
    case DType::i32:
      return napi_int32_array;
    case DType::i64:
      return napi_bigint64_array;
    default:
      return napi_uint16_array;
  }
}

bool fail(Napi::Env env, Code code, std::string message) {
  throw_status(env, Status::error(code, std::move(message)));
  return false;
}

bool wrong_length(const Napi::Value& value, DType dtype, size_t expected) {
  return fail(value.Env(), Code::shape,
              "Expected " + std::to_string(expected / dtype_size(dtype)) + " values but received " +
                  std::to_string(value.As<Napi::TypedArray>().ElementLength()));
}

Napi::ArrayBuffer to_buffer(Napi::Env env, const Tensor& tensor) {
  const size_t bytes = tensor.desc.bytes(1);
#ifndef NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED
  if (bytes >= kCopyBelow) {
    auto* owner = new std::shared_ptr<Storage>(tensor.storage);
    napi_value buffer;
    const napi_status status = napi_create_external_arraybuffer(
        env, tensor.storage->data(), bytes,
        [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Storage>*>(hint); }, owner,
        &buffer);
    if (status == napi_ok) return {env, buffer};
    delete owner;  // hosts with a V8 sandbox refuse memory from outside
  }
#endif
  auto copy = Napi::ArrayBuffer::New(env, bytes);
  if (bytes) std::memcpy(copy.Data(), tensor.storage->data(), bytes);
  return copy;
}

}  // namespace

Napi::Error to_error(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message);
  error.Set("code", Napi::String::New(env, code_name(status.code)));
  return error;
}

void throw_status(Napi::Env env, const Status& status) {
  to_error(env, status).ThrowAsJavaScriptException();
}

bool read_dtype(const Napi::Value& value, DType* out) {
  if (value.IsString() && parse_dtype(value.As<Napi::String>(), out)) return true;
  return fail(value.Env(), Code::dtype,
              "Expected the name of a dtype but received " + value.ToString().Utf8Value());
}

bool read_shape(const Napi::Value& value, Shape* out) {
  if (!value.IsArray()) return fail(value.Env(), Code::shape, "Expected an array of dimensions for a shape");
  const auto list = value.As<Napi::Array>();
  double count = 1;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value item = list[i];
    const double dimension = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : -1;
    count *= dimension;
    if (!(dimension >= 0) || dimension != static_cast<int64_t>(dimension) || !(count <= kMaxDimension))
      return fail(
          value.Env(), Code::shape,
          "Expected non-negative integers for a shape but received [" + value.ToString().Utf8Value() + "]");
    out->push_back(static_cast<int64_t>(dimension));
  }
  return true;
}

bool read_attrs(const Napi::Value& value, Attrs* out) {
  if (!value.IsObject()) return fail(value.Env(), Code::argument, "Expected an object of settings");
  const auto object = value.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = Napi::Value(names[i]).ToString();
    const Napi::Value setting = object.Get(name);
    if (setting.IsNumber()) {
      out->set(name, setting.As<Napi::Number>().DoubleValue());
    } else if (setting.IsBoolean()) {
      out->set(name, setting.As<Napi::Boolean>() ? 1.0 : 0.0);
    } else if (setting.IsString()) {
      out->set(name, setting.As<Napi::String>().Utf8Value());
    } else if (setting.IsArray()) {
      const auto list = setting.As<Napi::Array>();
      std::vector<double> numbers(list.Length());
      for (uint32_t k = 0; k < list.Length(); ++k) {
        const Napi::Value item = list[k];
        if (!item.IsNumber()) return fail(value.Env(), Code::argument, "Expected numbers for " + name);
        numbers[k] = item.As<Napi::Number>().DoubleValue();
      }
      out->set(name, std::move(numbers));
    } else {
      return fail(value.Env(), Code::argument, "Expected a number, string, boolean or numbers for " + name);
    }
  }
  return true;
}

bool read_bytes_up_to(const Napi::Value& value, DType dtype, size_t most, const void** out, size_t* bytes) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != array_type(dtype))
    return fail(value.Env(), Code::dtype,
                std::string("Expected a typed array that holds ") + dtype_name(dtype));
  const auto array = value.As<Napi::TypedArray>();
  *bytes = array.ByteLength();
  *out = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return *bytes <= most || wrong_length(value, dtype, most);
}

bool read_bytes(const Napi::Value& value, DType dtype, size_t expected, const void** out) {
  size_t bytes;
  return read_bytes_up_to(value, dtype, expected, out, &bytes) &&
         (bytes == expected || wrong_length(value, dtype, expected));
}

Napi::Value to_host_tensor(Napi::Env env, const Tensor& tensor) {
  auto shape = Napi::Array::New(env, tensor.desc.shape.size());
  for (size_t i = 0; i < tensor.desc.shape.size(); ++i)
    shape[static_cast<uint32_t>(i)] = static_cast<double>(tensor.desc.shape[i]);
  napi_value data;
  const Napi::ArrayBuffer buffer = to_buffer(env, tensor);
  napi_create_typedarray(env, array_type(tensor.desc.dtype), element_count(tensor.desc.shape), buffer, 0,
                         &data);
  auto host = Napi::Object::New(env);
  host.Set("dtype", dtype_name(tensor.desc.dtype));
  host.Set("shape", shape);
  host.Set("data", data);
  return host;
}

}  // namespace nlrcnn::addon
