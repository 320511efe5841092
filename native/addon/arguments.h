#pragma once
#include <napi.h>

#include "core/op.h"

// Between JavaScript's values and the core's. Functions that fail have thrown in JavaScript and return false.
namespace nlrcnn::addon {

// An Error with `code`.
Napi::Error to_error(Napi::Env env, const Status& status);
void throw_status(Napi::Env env, const Status& status);

bool read_dtype(const Napi::Value& value, DType* out);
bool read_shape(const Napi::Value& value, Shape* out);
bool read_attrs(const Napi::Value& value, Attrs* out);
// The bytes of a typed array; `expected` is how many there must be.
bool read_bytes(const Napi::Value& value, DType dtype, size_t expected, const void** out);
// As above where there may be fewer: how many.
bool read_bytes_up_to(const Napi::Value& value, DType dtype, size_t most, const void** out, size_t* bytes);

// {dtype, shape, data}; takes the tensor's memory over where that is worth it.
Napi::Value to_host_tensor(Napi::Env env, const Tensor& tensor);

}  // namespace nlrcnn::addon
