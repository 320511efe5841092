#pragma once
#include <napi.h>

#include "core/device.h"

namespace nlrcnn::addon {

// "cpu" (also undefined) or "cuda:N". False, having thrown, where there is none.
bool read_device(Napi::Env env, const Napi::Value& name, std::shared_ptr<Device>* out);
// "fp32" (also undefined), "tf32", "fp16" or "bf16", on CUDA devices.
bool read_precision(const Napi::Value& name, const Device& device, Target* out);
// CudaInfo of binding.d.ts.
Napi::Value cuda_info(const Napi::CallbackInfo& info);

}  // namespace nlrcnn::addon
