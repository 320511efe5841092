#pragma once
#include "core/device.h"

namespace nlrcnn {

// A GPU as the driver describes it.
struct GpuInfo {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  size_t total_memory = 0, free_memory = 0;
};

// What libnlrcnn_cuda.so exports through nlrcnn_cuda_plugin(): built with the addon, loaded only where there
// is a driver.
struct CudaPlugin {
  int abi;
  const char* architectures;  // that it has kernels for: "80 90 90a 90-ptx"
  std::string (*versions)();  // of the runtime and of the libraries it loaded
  Status (*gpus)(std::vector<GpuInfo>* out);
  Result<std::shared_ptr<Device>> (*open)(int index);
};

inline constexpr int kCudaPluginAbi = 2;
using CudaPluginEntry = const CudaPlugin* (*)();

}  // namespace nlrcnn
