#include "addon/devices.h"

#include "addon/arguments.h"
#include "addon/cuda_loader.h"
#include "addon/environment.h"

namespace nlrcnn::addon {

bool read_device(Napi::Env env, const Napi::Value& value, std::shared_ptr<Device>* out) {
  const std::string name = value.IsUndefined() ? "cpu" : value.ToString().Utf8Value();
  if (name == "cpu") {
    *out = Environment::of(env).cpu();
    return true;
  }
  Status status = Status::error(Code::device, "Expected cpu or cuda:N for a device but received " + name);
  const bool digits =
      name.size() > 5 && name.size() < 9 && name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (name.starts_with("cuda:") && digits) {
    const CudaLibrary& library = cuda_library();
    if (library.plugin) {
      auto device = library.plugin->open(std::stoi(name.substr(5)));
      if (device.ok()) {
        *out = std::move(device.value());
        return true;
      }
      status = device.status();
    } else {
      status.message = "Expected a device that can be used but received " + name + ": " + library.problem;
    }
  }
  throw_status(env, status);
  return false;
}

bool read_precision(const Napi::Value& value, const Device& device, Target* out) {
  *out = device.target();
  const std::string name = value.IsUndefined() ? "fp32" : value.ToString().Utf8Value();
  if (name == "fp32") return true;
  out->tf32 = name == "tf32";
  if (name == "fp16") out->compute = DType::f16;
  if (name == "bf16") out->compute = DType::bf16;
  if (out->cuda && *out != device.target()) return true;
  throw_status(value.Env(),
               Status::error(Code::unsupported,
                             "Expected " + std::string(out->cuda ? "fp32, tf32, fp16 or bf16" : "fp32") +
                                 " for the precision on " + device.name() + " but received " + name));
  return false;
}

Napi::Value cuda_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CudaLibrary& library = cuda_library();
  auto out = Napi::Object::New(env);
  out.Set("plugin", library.path);
  out.Set("problem", library.problem);
  auto libraries = Napi::Object::New(env);
  for (const auto& [name, path] : library.libraries) libraries.Set(name, path);
  out.Set("libraries", libraries);
  std::vector<GpuInfo> gpus;
  out.Set("architectures", library.plugin ? library.plugin->architectures : "");
  out.Set("versions", library.plugin ? library.plugin->versions() : "");
  if (library.plugin)
    if (Status status = library.plugin->gpus(&gpus); !status.ok()) out.Set("problem", status.message);
  auto list = Napi::Array::New(env, gpus.size());
  for (uint32_t i = 0; i < gpus.size(); ++i) {
    auto gpu = Napi::Object::New(env);
    gpu.Set("name", gpus[i].name);
    gpu.Set("computeCapability", std::to_string(gpus[i].major) + "." + std::to_string(gpus[i].minor));
    gpu.Set("memory", static_cast<double>(gpus[i].total_memory));
    gpu.Set("freeMemory", static_cast<double>(gpus[i].free_memory));
    list[i] = gpu;
  }
  out.Set("gpus", list);
  return out;
}

}  // namespace nlrcnn::addon
