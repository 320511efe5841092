#include "addon/arguments.h"

namespace nlrcnn::addon {
namespace {

constexpr double kMaxDimension = 1ull << 40;
constexpr uint32_t kMostNumbers = 1 << 20;

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

[[noreturn]] void wrong_length(const js::Memory& memory, DType dtype, size_t expected) {
  js::fail(Code::shape, "Expected " + std::to_string(expected / dtype_size(dtype)) + " values but received " +
                            std::to_string(memory.count) +
                            (memory.data ? "" : ", as the array is empty or its buffer was transferred"));
}

}  // namespace

DType read_dtype(const js::Value& value) {
  DType out;
  const auto name = value.text();
  if (!name || !parse_dtype(*name, &out))
    js::fail(Code::dtype, "Expected the name of a dtype but received " + value.described());
  return out;
}

std::vector<js::Value> read_list(const js::Value& value, const char* what, uint32_t most) {
  if (!value.is_array())
    js::fail(Code::argument,
             std::string("Expected an array of ") + what + " but received " + value.described());
  const uint32_t length = value.length();
  if (length > most)
    js::fail(Code::argument, "Expected at most " + std::to_string(most) + " " + what + " but received " +
                                 std::to_string(length));
  std::vector<js::Value> out;
  out.reserve(length);
  for (uint32_t i = 0; i < length; ++i) out.push_back(value.at(i));
  return out;
}

Shape read_shape(const js::Value& value) {
  if (!value.is_array()) js::fail(Code::shape, "Expected an array of dimensions for a shape");
  Shape out;
  double count = 1;
  for (const js::Value& item : read_list(value, "dimensions", kMostDimensions)) {
    const double dimension = item.number().value_or(-1);
    count *= dimension;
    if (!(dimension >= 0 && dimension <= kMaxDimension && count <= kMaxDimension) ||
        dimension != static_cast<double>(static_cast<int64_t>(dimension)))
      js::fail(Code::shape, "Expected non-negative integers for a shape, 2^40 values in all, but received " +
                                item.described() + " for dimension " + std::to_string(out.size()));
    out.push_back(static_cast<int64_t>(dimension));
  }
  return out;
}

Attrs read_attrs(const js::Value& value) {
  Attrs out;
  for (const std::string& name : value.keys()) {
    const js::Value setting = value.get(name);
    if (const auto number = setting.number()) {
      out.set(name, *number);
    } else if (const auto flag = setting.boolean()) {
      out.set(name, *flag ? 1.0 : 0.0);
    } else if (auto text = setting.text()) {
      out.set(name, std::move(*text));
    } else if (setting.is_array()) {
      std::vector<double> numbers;
      for (const js::Value& item : read_list(setting, name.c_str(), kMostNumbers)) {
        const auto number = item.number();
        if (!number)
          js::fail(Code::argument, "Expected numbers for " + name + " but received " + item.described());
        numbers.push_back(*number);
      }
      out.set(name, std::move(numbers));
    } else {
      js::fail(Code::argument, "Expected a number, string, boolean or numbers for " + name +
                                   " but received " + setting.described());
    }
  }
  return out;
}

js::Memory read_bytes_up_to(const js::Value& value, DType dtype, size_t most) {
  const auto memory = value.memory();
  if (!memory || memory->type != array_type(dtype))
    js::fail(Code::dtype, std::string("Expected a typed array that holds ") + dtype_name(dtype));
  if (memory->bytes > most) wrong_length(*memory, dtype, most);
  return *memory;
}

js::Memory read_bytes(const js::Value& value, DType dtype, size_t expected) {
  const js::Memory memory = read_bytes_up_to(value, dtype, expected);
  if (memory.bytes != expected) wrong_length(memory, dtype, expected);
  return memory;
}

js::Value to_js(js::Env env, const std::vector<std::string>& list) {
  const js::Value out = js::array(env, list.size());
  for (size_t i = 0; i < list.size(); ++i) out.set(static_cast<uint32_t>(i), js::to_js(env, list[i]));
  return out;
}

js::Value to_js(js::Env env, const Shape& shape) {
  const js::Value out = js::array(env, shape.size());
  for (size_t i = 0; i < shape.size(); ++i)
    out.set(static_cast<uint32_t>(i), js::to_js(env, static_cast<double>(shape[i])));
  return out;
}

js::Value to_host_tensor(js::Env env, const Tensor& tensor) {
  const TensorDesc& desc = tensor.desc;
  const js::Value host = js::object(env);
  host.set("dtype", js::to_js(env, dtype_name(desc.dtype)));
  host.set("shape", to_js(env, desc.shape));
  host.set("data", js::typed_array(env, array_type(desc.dtype), tensor.storage, desc.bytes(1)));
  return host;
}

}  // namespace nlrcnn::addon
