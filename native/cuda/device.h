#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/device.h"
#include "core/pool.h"
#include "cuda/runtime.h"

namespace nlrcnn::cuda {

// Device and pinned host memory that the plans of a lane share, and the count of how often it moved.
struct Arena {
  std::shared_ptr<Storage> device, staging;
  uint64_t generation = 0;
};

// A thread with a stream of its own: one picture in flight.
struct Lane {
  int index = 0;
  std::thread thread;
  bool busy = false;
  std::mutex mutex;  // held while a plan runs
  StreamPointer stream;
  Arena arena;

  // At least so many bytes of each.
  Status reserve(size_t device_bytes, size_t staging_bytes);
};

// One GPU. Ops run in order on the first lane; plans on whichever is free, so that several are in flight.
class CudaDevice : public Device {
 public:
  static Result<std::shared_ptr<Device>> open(int index);
  ~CudaDevice() override;

  void enqueue(std::function<void()> work) override;
  void enqueue_plan(std::function<void()> work) override;
  Result<std::shared_ptr<Storage>> allocate(size_t bytes) override;
  Status provide(Storage& storage) override;
  Status upload(void* to, const void* from, size_t bytes) override;
  Status download(void* to, const void* from, size_t bytes) override;
  std::shared_ptr<Plan> make_plan(Graph graph, std::vector<int> outputs) override;

  // Of the calling thread, one of the device's.
  static Lane& lane();
  // Held while kernels are made, weights packed and graphs captured.
  std::mutex& preparing() { return preparing_; }
  // Counts plans; without any the lanes' arenas are freed.
  void retain_arenas();
  void release_arenas();

 private:
  struct PlanWork {
    uint64_t after;  // ordered work that must be done
    std::function<void()> work;
  };

  explicit CudaDevice(int index);
  Status start();
  void loop(Lane& lane);
  bool take(Lane& lane, std::function<void()>* work, bool* ordered);

  int index_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex mutex_, preparing_, transfers_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> ordered_;
  std::deque<PlanWork> plans_;
  uint64_t ordered_count_ = 0, ordered_done_ = 0;
  int plan_count_ = 0;
  bool stopping_ = false;
  StreamPointer transfer_stream_;
  // Of ops, which run in order on one stream: what is freed can serve the next at once.
  std::shared_ptr<MemoryPool> pool_;
};

}  // namespace nlrcnn::cuda
