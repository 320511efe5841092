#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/tensor.h"

namespace nlrcnn {

// The CPU as a queue: one thread of the process runs all work in order, so that there is one OpenMP pool however many
// worker_threads use the library. Lives while someone holds a reference.
class CpuDevice {
 public:
  static std::shared_ptr<CpuDevice> acquire();
  ~CpuDevice();

  void enqueue(std::function<void()> work);

  // Scratch memory shared by everything that runs here, one at a time; device thread only. Null when there is none.
  void* arena(size_t bytes);
  // Plans that hold the arena; without any it is freed.
  void retain_arena() { ++arena_users_; }
  void release_arena();

 private:
  CpuDevice();
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::shared_ptr<Storage> arena_;
  int arena_users_ = 0;
  std::thread thread_;
};

}  // namespace nlrcnn
