#include "core/pool.h"

#include <algorithm>
#include <bit>

namespace nlrcnn {
namespace {

// Sizes in steps of an eighth, so that blocks serve again where shapes differ a little from step to step.
size_t block_size(size_t bytes) {
  const size_t step = std::max<size_t>(512, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

}  // namespace

Status MemoryPool::provide(Storage& storage) {
  const size_t wanted = block_size(std::max<size_t>(storage.bytes(), 1));
  std::shared_ptr<Storage> block;
  {
    std::lock_guard lock(mutex_);
    const auto found = by_size_.lower_bound(wanted);
    if (found != by_size_.end() && found->first <= wanted + wanted / 4) block = take(found);
  }
  if (!block) {
    auto made = allocate_(wanted);
    if (!made.ok()) {
      trim();
      made = allocate_(wanted);
    }
    if (!made.ok()) return made.status();
    block = std::move(made.value());
  }
  {
    std::lock_guard lock(mutex_);
    used_bytes_ += block->bytes();
    most_bytes_ = std::max(most_bytes_, used_bytes_);
  }
  void* data = block->data();
  storage.hold(data, [pool = shared_from_this(), block = std::move(block)](void*, size_t) mutable {
    pool->take_back(std::move(block));
  });
  return {};
}

std::shared_ptr<Storage> MemoryPool::take(std::multimap<size_t, Blocks::iterator>::iterator found) {
  std::shared_ptr<Storage> block = std::move(*found->second);
  idle_bytes_ -= block->bytes();
  idle_.erase(found->second);
  by_size_.erase(found);
  return block;
}

void MemoryPool::take_back(std::shared_ptr<Storage> block) {
  Blocks freed;  // after the lock is given back
  std::lock_guard lock(mutex_);
  used_bytes_ -= block->bytes();
  idle_bytes_ += block->bytes();
  const size_t bytes = block->bytes();
  idle_.push_front(std::move(block));
  by_size_.emplace(bytes, idle_.begin());
  while (used_bytes_ + idle_bytes_ > most_bytes_ + most_bytes_ / 4 && !idle_.empty()) {
    const auto oldest = std::prev(idle_.end());
    auto found = by_size_.lower_bound((*oldest)->bytes());
    while (found->second != oldest) ++found;
    freed.push_back(take(found));
  }
}

void MemoryPool::trim() {
  Blocks freed;
  std::lock_guard lock(mutex_);
  freed.swap(idle_);
  by_size_.clear();
  idle_bytes_ = 0;
  most_bytes_ = used_bytes_;
}

size_t MemoryPool::idle_bytes() {
  std::lock_guard lock(mutex_);
  return idle_bytes_;
}

}  // namespace nlrcnn
