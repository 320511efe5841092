#pragma once
#include <map>

#include "core/cuda_plugin.h"

namespace nlrcnn::addon {

// The CUDA plugin, or in words why there is none.
struct CudaLibrary {
  const CudaPlugin* plugin = nullptr;
  std::string path, problem;
  std::map<std::string, std::string> libraries;  // what it needs: where it was found, or ""
};

// Loaded at the first call and for good.
const CudaLibrary& cuda_library();

}  // namespace nlrcnn::addon
