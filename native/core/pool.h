#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "core/tensor.h"

namespace nlrcnn {

// Memory of eager tensors, kept when they are freed and handed out again: without page faults on the CPU and
// without the driver on CUDA. Never holds more than a little above the most that was in use at once. From any
// thread.
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
  void take_back(std::shared_ptr<Storage> block);

  Allocate allocate_;
  std::mutex mutex_;
  std::multimap<size_t, std::shared_ptr<Storage>> idle_;
  size_t idle_bytes_ = 0, used_bytes_ = 0, most_bytes_ = 0;
};

}  // namespace nlrcnn
