#pragma once
#include "addon/js.h"
#include "core/device.h"

namespace nlrcnn::addon {

// "cpu" (also undefined) or "cuda:N". Throws js::Failure where there is none.
std::shared_ptr<Device> read_device(const js::Value& name);
// "fp32" (also undefined), "tf32", "fp16" or "bf16", on CUDA devices.
Target read_precision(const js::Value& name, const Device& device);
// CudaInfo of binding.d.ts.
js::Value cuda_info(const js::Call& call);

}  // namespace nlrcnn::addon
