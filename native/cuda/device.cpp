#include "cuda/device.h"

#include <map>

#include "cuda/kernels.h"
#include "cuda/plan.h"

namespace nlrcnn::cuda {
namespace {

// Pictures in flight: while one computes, the next is uploaded and the last one's results come down.
constexpr int kLanes = 3;

thread_local Lane* current_lane = nullptr;

}  // namespace

Status Lane::reserve(size_t device_bytes, size_t staging_bytes) {
  const auto grow = [this](std::shared_ptr<Storage>& storage, size_t bytes, auto allocate) -> Status {
    if (storage && storage->bytes() >= bytes) return {};
    storage.reset();  // before the larger one, so that both never exist at once
    ++arena.generation;
    auto made = allocate(bytes);
    if (!made.ok()) return made.status();
    storage = std::move(made.value());
    return {};
  };
  if (Status s = grow(arena.device, device_bytes, allocate_device); !s.ok()) return s;
  return grow(arena.staging, staging_bytes, allocate_pinned);
}

// Opened once for the life of the process: what the libraries set up takes a second.
Result<std::shared_ptr<Device>> CudaDevice::open(int index) {
  static std::mutex mutex;
  static auto* devices = new std::map<int, std::shared_ptr<Device>>();
  std::lock_guard lock(mutex);
  if (auto found = devices->find(index); found != devices->end()) return found->second;
  std::shared_ptr<CudaDevice> device(new CudaDevice(index));
  if (Status s = device->start(); !s.ok()) return s;
  (*devices)[index] = device;
  return std::shared_ptr<Device>(std::move(device));
}

CudaDevice::CudaDevice(int index)
    : Device("cuda:" + std::to_string(index), {.cuda = true, .block = kBlock}),
      index_(index),
      pool_(std::make_shared<MemoryPool>([this](size_t bytes) { return allocate(bytes); })) {}

Status CudaDevice::start() {
  std::vector<GpuInfo> gpus;
  if (Status s = list_gpus(&gpus); !s.ok()) return s;
  if (index_ >= static_cast<int>(gpus.size()))
    return Status::error(Code::device,
                         "Expected a GPU below " + std::to_string(gpus.size()) + " but received " + name());
  if (Status s = select_gpu(index_); !s.ok()) return s;
  auto transfer = make_stream();
  if (!transfer.ok()) return transfer.status();
  transfer_stream_ = std::move(transfer.value());
  for (int i = 0; i < kLanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    auto stream = make_stream();
    if (!stream.ok()) return stream.status();
    lanes_.back()->index = i;
    lanes_.back()->stream = std::move(stream.value());
  }
  for (auto& lane : lanes_) lane->thread = std::thread([this, lane = lane.get()] { loop(*lane); });
  return {};
}

CudaDevice::~CudaDevice() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& lane : lanes_)
    if (lane->thread.joinable()) lane->thread.join();
}

Lane& CudaDevice::lane() {
  return *current_lane;
}

void CudaDevice::enqueue(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    ordered_.push_back(std::move(work));
    ++ordered_count_;
  }
  wake_.notify_all();
}

void CudaDevice::enqueue_plan(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    plans_.push_back({ordered_count_, std::move(work)});
  }
  wake_.notify_all();
}

// What this lane may do now: a later lane works only while all before it are busy, as each lane has graphs
// and memory of its own.
bool CudaDevice::take(Lane& lane, std::function<void()>* work, bool* ordered) {
  *ordered = lane.index == 0 && !ordered_.empty();
  if (*ordered) {
    *work = std::move(ordered_.front());
    ordered_.pop_front();
    return true;
  }
  for (int i = 0; i < lane.index; ++i)
    if (!lanes_[i]->busy) return false;
  if (plans_.empty() || plans_.front().after > ordered_done_) return false;
  *work = std::move(plans_.front().work);
  plans_.pop_front();
  return true;
}

void CudaDevice::loop(Lane& lane) {
  current_lane = &lane;
  select_gpu(index_);
  for (;;) {
    std::function<void()> work;
    bool ordered = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return take(lane, &work, &ordered) || stopping_; });
      if (!work) return;
      lane.busy = true;
    }
    wake_.notify_all();  // a later lane may work now
    work();
    work = nullptr;
    {
      std::lock_guard lock(mutex_);
      lane.busy = false;
      if (ordered) ++ordered_done_;
    }
    wake_.notify_all();
  }
}

Result<std::shared_ptr<Storage>> CudaDevice::allocate(size_t bytes) {
  if (Status s = select_gpu(index_); !s.ok()) return s;
  return allocate_device(bytes);
}

Status CudaDevice::provide(Storage& storage) {
  return pool_->provide(storage);
}

Status CudaDevice::upload(void* to, const void* from, size_t bytes) {
  std::lock_guard lock(transfers_);
  if (Status s = select_gpu(index_); !s.ok()) return s;
  if (Status s = copy_to_device(*transfer_stream_, to, from, bytes); !s.ok()) return s;
  return synchronize(*transfer_stream_);
}

Status CudaDevice::download(void* to, const void* from, size_t bytes) {
  std::lock_guard lock(transfers_);
  if (Status s = select_gpu(index_); !s.ok()) return s;
  if (Status s = copy_to_host(*transfer_stream_, to, from, bytes); !s.ok()) return s;
  return synchronize(*transfer_stream_);
}

std::shared_ptr<Plan> CudaDevice::make_plan(Graph graph, std::vector<int> outputs) {
  auto self = std::static_pointer_cast<CudaDevice>(shared_from_this());
  return std::make_shared<CudaPlan>(std::move(self), std::move(graph), std::move(outputs));
}

void CudaDevice::retain_arenas() {
  std::lock_guard lock(mutex_);
  ++plan_count_;
}

void CudaDevice::release_arenas() {
  {
    std::lock_guard lock(mutex_);
    if (--plan_count_ > 0) return;
  }
  for (auto& lane : lanes_) {
    std::lock_guard lock(lane->mutex);
    lane->arena.device.reset();
    lane->arena.staging.reset();
    ++lane->arena.generation;
  }
}

}  // namespace nlrcnn::cuda
