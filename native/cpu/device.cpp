#include "cpu/device.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "cpu/onednn.h"
#include "cpu/plan.h"

namespace nlrcnn::cpu {
namespace {

constexpr int kNice = 5;
// How long memory of eager ops is kept for the next ones.
constexpr std::chrono::seconds kIdle{10};

}  // namespace

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

CpuDevice::CpuDevice()
    : Device("cpu", {.block = channel_block()}),
      pool_(std::make_shared<MemoryPool>([this](size_t bytes) { return allocate(bytes); })),
      thread_([this, queue = queue_] { loop(queue, [this] { free_idle_memory(); }); }) {}

CpuDevice::~CpuDevice() {
  {
    std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
  }
  queue_->wake.notify_one();
  if (std::this_thread::get_id() == thread_.get_id())
    thread_.detach();
  else
    thread_.join();
}

void CpuDevice::enqueue(std::function<void()> work) {
  // Kept, as the work may hold the last reference to this device and be done before the notification.
  const auto queue = queue_;
  {
    std::lock_guard lock(queue->mutex);
    queue->work.push_back(std::move(work));
  }
  queue->wake.notify_one();
}

void CpuDevice::loop(const std::shared_ptr<Queue>& queue, const std::function<void()>& idle) {
  // Of this thread and of OpenMP's, which it starts: with all cores at work, JavaScript's thread still runs
  // when it wakes.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(queue->mutex);
      const auto ready = [&queue] { return queue->stopping || !queue->work.empty(); };
      if (!queue->wake.wait_for(lock, kIdle, ready)) {
        idle();
        queue->wake.wait(lock, ready);
      }
      if (queue->work.empty()) return;
      work = std::move(queue->work.front());
      queue->work.pop_front();
    }
    work();
  }
}

Result<std::shared_ptr<Storage>> CpuDevice::allocate(size_t bytes) {
  auto storage = allocate_host(bytes);
  if (!storage)
    return Status::error(Code::out_of_memory,
                         "Out of memory: " + std::to_string(bytes) + " bytes were asked for");
  return storage;
}

Status CpuDevice::provide(Storage& storage) {
  return pool_->provide(storage);
}

Status CpuDevice::upload(void* to, const void* from, size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
  return {};
}

Status CpuDevice::download(void* to, const void* from, size_t bytes) {
  return upload(to, from, bytes);
}

std::shared_ptr<Plan> CpuDevice::make_plan(Graph graph, std::vector<int> outputs) {
  auto self = std::static_pointer_cast<CpuDevice>(shared_from_this());
  return std::make_shared<CpuPlan>(std::move(self), std::move(graph), std::move(outputs));
}

Status CpuDevice::run_once(Graph graph, std::vector<int> values, const std::atomic<bool>& stop,
                           std::vector<Tensor>* outputs) {
  runs_ops_ = true;
  auto self = std::static_pointer_cast<CpuDevice>(shared_from_this());
  for (Step& step : graph.steps) step.call.target.learning = true;
  const PooledWeights pooled(pool_.get());
  CpuPlan plan(std::move(self), std::move(graph), std::move(values), &kernels_);
  return plan.run({}, stop, outputs, nullptr);
}

void* CpuDevice::arena(size_t bytes) {
  if (!arena_ || arena_->bytes() < bytes) {
    arena_.reset();  // before the larger one, so that both never exist at once
    arena_ = allocate_host(bytes);
  }
  return arena_ ? arena_->data() : nullptr;
}

void CpuDevice::release_arena() {
  if (--arena_users_ == 0 && !runs_ops_) arena_.reset();
}

void CpuDevice::free_idle_memory() {
  runs_ops_ = false;
  if (arena_users_ == 0) arena_.reset();
  pool_->trim();
}

}  // namespace nlrcnn::cpu
