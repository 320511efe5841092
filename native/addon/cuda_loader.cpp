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

// Loads a library that the dynamic linker does not find by its name, from NLRCNN_CUDA_LIBRARIES or kFolders;
// what is loaded serves the plugin, which asks for the same name.
bool load(const std::string& name) {
  std::vector<std::string> patterns;
  const char* own = std::getenv("NLRCNN_CUDA_LIBRARIES");
  std::istringstream folders(own ? own : "");
  for (std::string folder; std::getline(folders, folder, ':');) patterns.push_back(folder);
  if (!own)
    for (const char* folder : kFolders) patterns.push_back(expanded(folder));
  bool loaded = false;
  for (const std::string& pattern : patterns) {
    if (pattern.empty() || loaded) continue;
    glob_t found{};
    if (glob((pattern + "/" + name).c_str(), 0, nullptr, &found) == 0)
      for (size_t i = 0; i < found.gl_pathc && !loaded; ++i)
        loaded = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_GLOBAL) != nullptr;
    globfree(&found);
  }
  return loaded;
}

std::string advice(const std::string& name) {
  const bool cudnn = name.find("cudnn") != std::string::npos;
  return name + " is missing: install it (pip install " + (cudnn ? "nvidia-cudnn-cu13" : "nvidia-cublas") +
         ", or NVIDIA's package) or set NLRCNN_CUDA_LIBRARIES to its folder";
}

// Loads the plugin, and what it misses one by one.
void* load_plugin(CudaLibrary* out) {
  for (int tries = 0; tries < 8; ++tries) {
    if (void* library = dlopen(out->path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    const char* error = dlerror();
    const std::string why = error ? error : "unknown";
    out->problem = "the CUDA plugin did not load: " + why;
    // "libcudnn.so.9: cannot open shared object file: No such file or directory"
    const size_t colon = why.find(": cannot open shared object file");
    if (colon == std::string::npos) return nullptr;
    const std::string name = why.substr(0, colon);
    if (load(name)) continue;
    out->problem = advice(name);
    out->libraries[name] = "";
    return nullptr;
  }
  return nullptr;
}

// Notes where CUDA's libraries were found.
int note_library(dl_phdr_info* info, size_t, void* to) {
  const std::string path = info->dlpi_name ? info->dlpi_name : "";
  const std::string name = path.substr(path.rfind('/') + 1);
  for (const char* known : {"libcuda.so", "libcublas", "libcudnn.so"})
    if (name.starts_with(known)) (*static_cast<std::map<std::string, std::string>*>(to))[name] = path;
  return 0;
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
  if (!chosen && !dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL)) {
    out.problem = "no NVIDIA driver (libcuda.so.1 not found)";
    return out;
  }
  void* library = load_plugin(&out);
  dl_iterate_phdr(note_library, &out.libraries);
  if (!library) return out;
  out.problem.clear();
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
