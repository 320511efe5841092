#pragma once
#include <napi.h>

#include "core/device.h"

namespace nlrcnn::addon {

// NativeRecorder of binding.d.ts.
class RecorderHandle : public Napi::ObjectWrap<RecorderHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit RecorderHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value input(const Napi::CallbackInfo& info);
  Napi::Value op(const Napi::CallbackInfo& info);
  Napi::Value finish(const Napi::CallbackInfo& info);
  // The value that a handle stands for; tensors from outside become constants. False, having thrown, on
  // failure.
  bool value_of(const Napi::Value& handle, int* out);

  void begin();

  std::shared_ptr<Device> device_;
  Target target_;
  std::shared_ptr<Graph> graph_;
};

// What a recorder hands to the plan's handle.
struct Finished {
  std::shared_ptr<Device> device;
  std::shared_ptr<Plan> plan;
};

// NativePlan of binding.d.ts.
class PlanHandle : public Napi::ObjectWrap<PlanHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PlanHandle(const Napi::CallbackInfo& info);
  ~PlanHandle() override;

 private:
  Napi::Value arena_bytes(const Napi::CallbackInfo& info);
  Napi::Value op_count(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info) { return start(info, false); }
  Napi::Value profile(const Napi::CallbackInfo& info) { return start(info, true); }
  Napi::Value start(const Napi::CallbackInfo& info, bool profile);
  void dispose(const Napi::CallbackInfo& info);
  void release();

  std::shared_ptr<Device> device_;
  std::shared_ptr<Plan> plan_;
  std::vector<nlrcnn::Value> inputs_;
};

}  // namespace nlrcnn::addon
