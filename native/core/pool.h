#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "core/tensor.h"

namespace nlrcnn {

// Memory of eager tensors, kept when they are freed and handed out again: without page faults on the CPU and
// without the driver on CUDA. Never holds more than a little above the most that was in use at once: beyond
// that, what lay idle the longest is freed. From any thread.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  using Allocate = std::function<Result<std::shared_ptr<Storage>>(size_t bytes)>;

  explicit MemoryPool(Allocate allocate) : allocate_(std::move(allocate)) {}

  // Memory for a storage made without.
  Status provide(Storage& storage);
  // Frees what nobody uses.
  void trim();
  // Bytes that nobody uses.
  size_t idle_bytes();

 private:
  using Blocks = std::list<std::shared_ptr<Storage>>;

  void take_back(std::shared_ptr<Storage> block);
  // Of one idle block, which leaves the pool.
  std::shared_ptr<Storage> take(std::multimap<size_t, Blocks::iterator>::iterator found);

  Allocate allocate_;
  std::mutex mutex_;
  Blocks idle_;  // the latest freed first
  std::multimap<size_t, Blocks::iterator> by_size_;
  size_t idle_bytes_ = 0, used_bytes_ = 0, most_bytes_ = 0;
};

}  // namespace nlrcnn
