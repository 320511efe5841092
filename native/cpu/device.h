#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/device.h"
#include "core/pool.h"
#include "cpu/kernel_cache.h"

namespace nlrcnn::cpu {

// The CPU as a queue: one thread of the process runs all work in order, so that there is one OpenMP pool
// however many worker_threads use the library. Lives while someone holds a reference.
class CpuDevice : public Device {
 public:
  static std::shared_ptr<CpuDevice> acquire();
  ~CpuDevice() override;

  void enqueue(std::function<void()> work) override;
  Result<std::shared_ptr<Storage>> allocate(size_t bytes) override;
  Status provide(Storage& storage) override;
  Status upload(void* to, const void* from, size_t bytes) override;
  Status download(void* to, const void* from, size_t bytes) override;
  std::shared_ptr<Plan> make_plan(Graph graph, std::vector<int> outputs) override;
  Status run_once(Graph graph, std::vector<int> values, const std::atomic<bool>& stop,
                  std::vector<Tensor>* outputs) override;

  // Scratch memory shared by everything that runs here, one at a time; device thread only. Null when there is
  // none.
  void* arena(size_t bytes);
  // Plans that hold the arena; without any it is freed, unless ops run one by one: then once nothing runs.
  void retain_arena() { ++arena_users_; }
  void release_arena();

 private:
  // Outlives the device where the last reference to it is let go by work of its own thread.
  struct Queue {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::function<void()>> work;
    bool stopping = false;
  };

  CpuDevice();
  // Runs the queue's work; calls `idle` when there has been none for a while.
  static void loop(const std::shared_ptr<Queue>& queue, const std::function<void()>& idle);
  void free_idle_memory();

  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::shared_ptr<Storage> arena_;
  int arena_users_ = 0;
  bool runs_ops_ = false;  // since memory was last idle
  std::shared_ptr<MemoryPool> pool_;
  KernelCache kernels_;
  std::thread thread_;
};

}  // namespace nlrcnn::cpu
