#include "core/cuda_plugin.h"

#include "cuda/device.h"

extern "C" __attribute__((visibility("default"))) const nlrcnn::CudaPlugin* nlrcnn_cuda_plugin() {
  using namespace nlrcnn;
  static const CudaPlugin plugin{kCudaPluginAbi, NLRCNN_CUDA_ARCHITECTURES, cuda::library_versions,
                                 cuda::list_gpus, cuda::CudaDevice::open};
  return &plugin;
}
