#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "addon/js.h"
#include "core/device.h"
#include "cpu/device.h"

namespace nlrcnn::addon {

// One per Node environment (main thread or worker): its way to the device and back, and the classes it
// exports.
class Environment {
 public:
  static Environment& of(js::Env env) { return *static_cast<Environment*>(js::instance_data(env)); }
  static void init(js::Env env);

  const std::shared_ptr<Device>& cpu() const { return shared_->cpu; }
  // Ends the environment's work: what runs ends early and is waited for, what is queued is dropped, what
  // comes later is refused.
  void close() { shared_->close(); }
  // Set by close(); work in progress looks at it between two ops.
  const std::atomic<bool>& stopping() const { return shared_->stopping; }

  // Queues `work`, which must not throw, on a device. Where the environment goes down first, it is not run.
  void enqueue(const std::shared_ptr<Device>& device, std::function<void()> work);
  // As above; then `done` in JavaScript's thread, which stays alive until then. `plan`: see
  // Device::enqueue_plan.
  void enqueue(js::Env env, const std::shared_ptr<Device>& device, bool plan, std::function<void()> work,
               js::Channel::Done done);

  js::Kept tensor_class, plan_class, error_class;

 private:
  struct Shared {
    std::shared_ptr<Device> cpu = cpu::CpuDevice::acquire();
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::condition_variable drained;
    int64_t queued = 0;

    void close();
  };

  // Work that is counted from when it is queued until it has run or is dropped.
  struct Ticket {
    explicit Ticket(std::shared_ptr<Shared> counted) : shared(std::move(counted)) {
      std::lock_guard lock(shared->mutex);
      ++shared->queued;
    }
    ~Ticket() {
      std::lock_guard lock(shared->mutex);
      if (--shared->queued == 0) shared->drained.notify_all();
    }
    std::shared_ptr<Shared> shared;
  };

  // At the end of the process, whose static objects the device's threads must not outlive.
  static void close_at_exit(const std::shared_ptr<Shared>& shared);
  std::function<void()> counted(std::function<void()> work, std::function<void()> after);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  js::Channel channel_;
  int64_t awaited_ = 0;
};

}  // namespace nlrcnn::addon
