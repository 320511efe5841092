#pragma once
#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "core/device.h"
#include "cpu/device.h"

namespace nlrcnn::addon {

// One per Node environment (main thread or worker): its way to the device and back, and the classes it
// exports.
class Environment {
 public:
  // Called back in JavaScript's thread.
  using Done = std::function<void(Napi::Env)>;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
  static void init(Napi::Env env);

  const std::shared_ptr<Device>& cpu() const { return shared_->cpu; }
  // Set once the environment goes down; work in progress ends early.
  const std::atomic<bool>& stopping() const { return shared_->stopping; }

  // Queues `work` on a device. Where the environment goes down first, it is not run.
  void enqueue(const std::shared_ptr<Device>& device, std::function<void()> work);
  // As above; then `done` in JavaScript's thread, which stays alive until then. `plan`: see
  // Device::enqueue_plan.
  void enqueue(Napi::Env env, const std::shared_ptr<Device>& device, bool plan, std::function<void()> work,
               Done done);

  Napi::FunctionReference tensor_class, plan_class;

 private:
  struct Shared {
    std::shared_ptr<Device> cpu = cpu::CpuDevice::acquire();
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::condition_variable drained;
    int64_t queued = 0;
  };
  static void call_js(Napi::Env env, Napi::Function, std::nullptr_t*, Done* done);
  using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Done, call_js>;

  std::function<void()> counted(std::function<void()> work, std::function<void()> after);
  void close();

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Channel channel_;
  int64_t awaited_ = 0;
};

}  // namespace nlrcnn::addon
