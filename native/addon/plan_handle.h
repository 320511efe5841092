#pragma once
#include "addon/js.h"
#include "core/device.h"

namespace nlrcnn::addon {

// NativeRecorder of binding.d.ts.
class RecorderHandle {
 public:
  static constexpr const char* kName = "Recorder";
  static constexpr napi_type_tag kTag = {0x6e6c72636e6e7431, 0x7265636f72640002};

  static js::Value define(js::Env env);
  static std::unique_ptr<RecorderHandle> construct(const js::Call& call);

  RecorderHandle(std::shared_ptr<Device> device, Target target);

 private:
  js::Value input(const js::Call& call);
  js::Value op(const js::Call& call);
  js::Value finish(const js::Call& call);
  // The values that handles stand for, -1 for missing ones; tensors from outside become constants.
  std::vector<int> values_of(const std::vector<js::Value>& handles);
  int value_of(const js::Value& handle);

  void begin();

  std::shared_ptr<Device> device_;
  Target target_;
  std::shared_ptr<Graph> graph_;
};

// NativePlan of binding.d.ts.
class PlanHandle {
 public:
  static constexpr const char* kName = "NativePlan";
  static constexpr napi_type_tag kTag = {0x6e6c72636e6e7431, 0x706c616e00000003};

  static js::Value define(js::Env env);
  static std::unique_ptr<PlanHandle> construct(const js::Call& call);

  PlanHandle(std::shared_ptr<Device> device, std::shared_ptr<Plan> plan);
  ~PlanHandle() { release(); }
  PlanHandle(const PlanHandle&) = delete;
  PlanHandle& operator=(const PlanHandle&) = delete;

 private:
  js::Value arena_bytes(const js::Call& call);
  js::Value op_count(const js::Call& call);
  js::Value run(const js::Call& call) { return start(call, false); }
  js::Value profile(const js::Call& call) { return start(call, true); }
  js::Value start(const js::Call& call, bool profile);
  js::Value dispose(const js::Call& call);
  void release() noexcept;

  std::shared_ptr<Device> device_;
  std::shared_ptr<Plan> plan_;
  std::vector<nlrcnn::Value> inputs_;
};

}  // namespace nlrcnn::addon
