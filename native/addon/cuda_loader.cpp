#include "addon/cuda_loader.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace nlrcnn::addon {
namespace {

// Where CUDA's libraries lie when the dynamic linker does not know: toolkits and Python's wheels.
const char* const kFolders[] = {
    "/usr/local/cuda/lib64",
    "/usr/local/cuda-*/lib64",
    "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/*/lib",
    "$HOME/.local/lib/python3*/site-packages/nvidia/*/lib",
    "/usr/local/lib/python3*/*-packages/nvidia/*/lib",
    "/usr/lib/python3*/*-packages/nvidia/*/lib",
    "/opt/*/lib/python3*/site-packages/nvidia/*/lib",
    "/opt/*/.venv/lib/python3*/site-packages/nvidia/*/lib",
};

std::string expanded(std::string pattern) {
  for (const char* name : {"VIRTUAL_ENV", "HOME"}) {
    const std::string variable = std::string("$") + name;
    const size_t at = pattern.find(variable);
    if (at == std::string::npos) continue;
    const char* value = std::getenv(name);
    if (!value) return "";
    pattern.replace(at, variable.size(), value);
  }
  return pattern;
}

// The folder of a loaded library that has the symbol.
std::string folder_of(const void* symbol) {
  Dl_info info;
  if (!dladdr(symbol, &info) || !info.dli_fname) return ".";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/'));
}

std::string path_of(void* library) {
  link_map* map = nullptr;
  return dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : "";
}

// Loads a library by its name from the linker's folders, NLRCNN_CUDA_LIBRARIES or kFolders; gives its path or
// "". What is loaded serves the plugin, which asks for the same name.
std::string load(const std::string& name) {
  std::vector<std::string> patterns;
  const char* own = std::getenv("NLRCNN_CUDA_LIBRARIES");
  std::istringstream folders(own ? own : "");
  for (std::string folder; std::getline(folders, folder, ':');) patterns.push_back(folder);
  if (!own) {
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL)) return path_of(library);
    for (const char* folder : kFolders) patterns.push_back(expanded(folder));
  }
  for (const std::string& pattern : patterns) {
    if (pattern.empty()) continue;
    glob_t found{};
    std::string path;
    if (glob((pattern + "/" + name).c_str(), 0, nullptr, &found) == 0)
      for (size_t i = 0; i < found.gl_pathc && path.empty(); ++i)
        if (dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_GLOBAL)) path = found.gl_pathv[i];
    globfree(&found);
    if (!path.empty()) return path;
  }
  return "";
}

std::string advice(const std::string& name) {
  const bool cudnn = name.find("cudnn") != std::string::npos;
  const std::string major = std::to_string(NLRCNN_CUDA_MAJOR);
  return name + " is missing: install it (pip install nvidia-" + (cudnn ? "cudnn-cu" + major : "cublas") +
         ", or NVIDIA's package) or set NLRCNN_CUDA_LIBRARIES to its folder";
}

CudaLibrary find() {
  CudaLibrary out;
  const char* chosen = std::getenv("NLRCNN_CUDA_PLUGIN");
  out.path = chosen ? chosen : folder_of(reinterpret_cast<const void*>(&cuda_library)) + "/libnlrcnn_cuda.so";
  if (access(out.path.c_str(), R_OK) != 0) {
    out.problem = chosen ? out.path + " cannot be read" : "this build has no CUDA kernels";
    out.path = "";
    return out;
  }
  if (!chosen) {
    if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL)) {
      out.problem = "no NVIDIA driver (libcuda.so.1 not found)";
      return out;
    }
    std::istringstream needed(NLRCNN_CUDA_LIBRARY_NAMES);
    for (std::string name; needed >> name;) {
      out.libraries[name] = load(name);
      if (out.libraries[name].empty() && out.problem.empty()) out.problem = advice(name);
    }
    if (!out.problem.empty()) return out;
  }
  void* library = dlopen(out.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    out.problem = std::string("the CUDA plugin did not load: ") + (why ? why : "unknown");
    return out;
  }
  auto entry = reinterpret_cast<CudaPluginEntry>(dlsym(library, "nlrcnn_cuda_plugin"));
  const CudaPlugin* plugin = entry ? entry() : nullptr;
  if (!plugin || plugin->abi != kCudaPluginAbi)
    out.problem = "the CUDA plugin at " + out.path + " belongs to another version";
  else
    out.plugin = plugin;
  return out;
}

}  // namespace

const CudaLibrary& cuda_library() {
  static const CudaLibrary* library =
      new CudaLibrary(find());  // never freed, as its threads may outlive exit
  return *library;
}

}  // namespace nlrcnn::addon
