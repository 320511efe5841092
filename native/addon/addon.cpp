#include "addon/devices.h"
#include "addon/environment.h"
#include "addon/masks.h"
#include "addon/plan_handle.h"
#include "addon/tensor_handle.h"
#include "cpu/onednn.h"

namespace nlrcnn::addon {
namespace {

Napi::Value ops(const Napi::CallbackInfo& info) {
  auto names = Napi::Array::New(info.Env());
  for (const std::string& name : op_names()) names[names.Length()] = name;
  return names;
}

Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  auto out = Napi::Object::New(info.Env());
  out.Set("isa", cpu::onednn_isa());
  out.Set("threads", cpu::thread_count());
  out.Set("channelBlock", cpu::channel_block());
  out.Set("onednn", cpu::onednn_version());
  return out;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Environment::init(env);
  auto& environment = Environment::of(env);
  environment.tensor_class = Napi::Persistent(TensorHandle::define(env));
  environment.plan_class = Napi::Persistent(PlanHandle::define(env));
  exports.Set("Recorder", RecorderHandle::define(env));
  exports.Set("tensor", Napi::Function::New<tensor>(env, "tensor"));
  exports.Set("op", Napi::Function::New<op>(env, "op"));
  exports.Set("read", Napi::Function::New<read>(env, "read"));
  exports.Set("ops", Napi::Function::New<ops>(env, "ops"));
  exports.Set("cpuInfo", Napi::Function::New<cpu_info>(env, "cpuInfo"));
  exports.Set("cudaInfo", Napi::Function::New<cuda_info>(env, "cudaInfo"));
  export_masks(env, exports);
  return exports;
}

NODE_API_MODULE(nlrcnn, init)

}  // namespace
}  // namespace nlrcnn::addon
