#include "core/device.h"

namespace nlrcnn {

std::shared_ptr<CpuDevice> CpuDevice::acquire() {
  static std::mutex mutex;
  static std::weak_ptr<CpuDevice> current;
  std::lock_guard lock(mutex);
  auto device = current.lock();
  if (!device) {
    device.reset(new CpuDevice());
    current = device;
  }
  return device;
}

CpuDevice::CpuDevice() : thread_([this] { loop(); }) {}

CpuDevice::~CpuDevice() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  // The last reference may be let go by work of the device itself.
  if (std::this_thread::get_id() == thread_.get_id())
    thread_.detach();
  else
    thread_.join();
}

void CpuDevice::enqueue(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void CpuDevice::loop() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

void* CpuDevice::arena(size_t bytes) {
  if (!arena_ || arena_->bytes() < bytes) {
    arena_.reset();  // before the larger one, so that both never exist at once
    arena_ = allocate_host(bytes);
  }
  return arena_ ? arena_->data() : nullptr;
}

void CpuDevice::release_arena() {
  if (--arena_users_ == 0) arena_.reset();
}

}  // namespace nlrcnn
