#include "addon/addon.h"

#include "addon/arguments.h"
#include "addon/devices.h"
#include "addon/environment.h"
#include "addon/masks.h"
#include "addon/plan_handle.h"
#include "addon/tensor_handle.h"
#include "cpu/onednn.h"

namespace nlrcnn::addon {
namespace {

js::Value ops(const js::Call& call) {
  return to_js(call.env(), op_names());
}

js::Value codes(const js::Call& call) {
  return to_js(call.env(), code_names());
}

js::Value use_error_class(const js::Call& call) {
  Environment::of(call.env()).error_class = js::Kept(call[0]);
  return js::undefined(call.env());
}

js::Value close(const js::Call& call) {
  Environment::of(call.env()).close();
  return js::undefined(call.env());
}

js::Value cpu_info(const js::Call& call) {
  const js::Env env = call.env();
  const js::Value out = js::object(env);
  out.set("isa", js::to_js(env, cpu::onednn_isa()));
  out.set("threads", js::to_js(env, static_cast<double>(cpu::thread_count())));
  out.set("channelBlock", js::to_js(env, static_cast<double>(cpu::channel_block())));
  out.set("onednn", js::to_js(env, cpu::onednn_version()));
  return out;
}

}  // namespace

void init(const js::Value& exports) {
  const js::Env env = exports.env();
  Environment::init(env);
  auto& environment = Environment::of(env);
  environment.tensor_class = js::Kept(TensorHandle::define(env));
  environment.plan_class = js::Kept(PlanHandle::define(env));
  exports.set("Recorder", RecorderHandle::define(env));
  js::define<tensor>(exports, "tensor");
  js::define<op>(exports, "op");
  js::define<read>(exports, "read");
  js::define<ops>(exports, "ops");
  js::define<codes>(exports, "codes");
  js::define<use_error_class>(exports, "useErrorClass");
  js::define<close>(exports, "close");
  js::define<cpu_info>(exports, "cpuInfo");
  js::define<cuda_info>(exports, "cudaInfo");
  export_masks(exports);
}

}  // namespace nlrcnn::addon
