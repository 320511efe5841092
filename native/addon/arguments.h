#pragma once
#include "addon/js.h"
#include "core/op.h"

// Between JavaScript's values and the core's. What does not fit is thrown as js::Failure.
namespace nlrcnn::addon {

// Most elements of a list of inputs or of dimensions: a sparse array may say that it has four billion.
constexpr uint32_t kMostInputs = 1 << 16, kMostDimensions = 16;

DType read_dtype(const js::Value& value);
Shape read_shape(const js::Value& value);
Attrs read_attrs(const js::Value& value);
// An array of at most `most` elements, read one by one.
std::vector<js::Value> read_list(const js::Value& value, const char* what, uint32_t most);
// The bytes of a typed array, of which there must be `expected`. They hold until JavaScript runs again.
js::Memory read_bytes(const js::Value& value, DType dtype, size_t expected);
// As above where there may be fewer.
js::Memory read_bytes_up_to(const js::Value& value, DType dtype, size_t most);

js::Value to_js(js::Env env, const std::vector<std::string>& list);
js::Value to_js(js::Env env, const Shape& shape);
// {dtype, shape, data}; takes the tensor's memory over where that is worth it.
js::Value to_host_tensor(js::Env env, const Tensor& tensor);

}  // namespace nlrcnn::addon
