#include "addon/devices.h"

#include "addon/arguments.h"
#include "addon/cuda_loader.h"
#include "addon/environment.h"

namespace nlrcnn::addon {

std::shared_ptr<Device> read_device(const js::Value& value) {
  const std::string name = value.is_undefined() ? "cpu" : value.described();
  if (name == "cpu") return Environment::of(value.env()).cpu();
  const bool digits =
      name.size() > 5 && name.size() < 9 && name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (!name.starts_with("cuda:") || !digits)
    js::fail(Code::device, "Expected cpu or cuda:N for a device but received " + name);
  const CudaLibrary& library = cuda_library();
  if (!library.plugin)
    js::fail(Code::device,
             "Expected a device that can be used but received " + name + ": " + library.problem);
  return js::check(library.plugin->open(std::stoi(name.substr(5))));
}

Target read_precision(const js::Value& value, const Device& device) {
  Target out = device.target();
  const std::string name = value.is_undefined() ? "fp32" : value.described();
  if (name == "fp32") return out;
  out.tf32 = name == "tf32";
  if (name == "fp16") out.compute = DType::f16;
  if (name == "bf16") out.compute = DType::bf16;
  if (!out.cuda || out == device.target())
    js::fail(Code::unsupported, "Expected " + std::string(out.cuda ? "fp32, tf32, fp16 or bf16" : "fp32") +
                                    " for the precision on " + device.name() + " but received " + name);
  return out;
}

js::Value cuda_info(const js::Call& call) {
  const js::Env env = call.env();
  const CudaLibrary& library = cuda_library();
  const js::Value out = js::object(env), libraries = js::object(env), list = js::array(env);
  std::string problem = library.problem;
  std::vector<GpuInfo> gpus;
  if (library.plugin)
    if (Status status = library.plugin->gpus(&gpus); !status.ok()) problem = status.message;
  for (const auto& [name, path] : library.libraries) libraries.set(name.c_str(), js::to_js(env, path));
  for (const GpuInfo& gpu : gpus) {
    const js::Value entry = js::object(env);
    entry.set("name", js::to_js(env, gpu.name));
    entry.set("computeCapability",
              js::to_js(env, std::to_string(gpu.major) + "." + std::to_string(gpu.minor)));
    entry.set("memory", js::to_js(env, static_cast<double>(gpu.total_memory)));
    entry.set("freeMemory", js::to_js(env, static_cast<double>(gpu.free_memory)));
    list.set(list.length(), entry);
  }
  out.set("plugin", js::to_js(env, library.path));
  out.set("problem", js::to_js(env, problem));
  out.set("libraries", libraries);
  out.set("architectures", js::to_js(env, library.plugin ? library.plugin->architectures : ""));
  out.set("versions", js::to_js(env, library.plugin ? library.plugin->versions() : ""));
  out.set("gpus", list);
  return out;
}

}  // namespace nlrcnn::addon
