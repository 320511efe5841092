#include "cuda/emulation/emulator.h"

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>

// Saves the callee-saved registers and the stack pointer of one fiber and takes up another's.
extern "C" void nlrcnn_switch(void** save, void* load);
asm(R"(
.text
.hidden nlrcnn_switch
.globl nlrcnn_switch
.type nlrcnn_switch, @function
nlrcnn_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size nlrcnn_switch, .-nlrcnn_switch
)");

namespace nlrcnn::cuda {
namespace {

constexpr size_t kStack = 64 << 10;
constexpr int16_t kMany = -1, kAtomic = -2;

thread_local void* starting_fiber = nullptr;

}  // namespace

Emulator& emulator() {
  static thread_local Emulator instance;
  return instance;
}

Emulator::~Emulator() {
  for (Fiber* fiber : free_) {
    munmap(fiber->stack, kStack);
    delete fiber;
  }
}

Emulator::Fiber* Emulator::take_fiber() {
  if (!free_.empty()) {
    Fiber* fiber = free_.back();
    free_.pop_back();
    return fiber;
  }
  auto* fiber = new Fiber{mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                          nullptr, this};
  auto** top = reinterpret_cast<void**>(static_cast<char*>(fiber->stack) + kStack);
  top -= 2;  // at entry the stack pointer is 8 beyond a multiple of 16
  *top = reinterpret_cast<void*>(+[] { enter(static_cast<Fiber*>(starting_fiber)); });
  fiber->pointer = top - 6;
  return fiber;
}

// Serves one thread after the other.
void Emulator::enter(Fiber* fiber) {
  Emulator& self = *fiber->emulator;
  for (;;) {
    (*self.body_)();
    self.threads_[self.thread].done = true;
    nlrcnn_switch(&fiber->pointer, self.scheduler_);
  }
}

void Emulator::resume(int index) {
  Thread& t = threads_[index];
  if (!t.fiber) t.fiber = take_fiber();
  t.waiting = Waiting::none;
  thread = index;
  starting_fiber = t.fiber;
  nlrcnn_switch(&scheduler_, t.fiber->pointer);
  if (t.done) {
    free_.push_back(t.fiber);
    t.fiber = nullptr;
  }
}

void Emulator::wait(Waiting what) {
  Thread& t = threads_[thread];
  t.waiting = what;
  nlrcnn_switch(&t.fiber->pointer, scheduler_);
}

uint32_t Emulator::give(uint64_t value) {
  const uint32_t half = threads_[thread].exchanges++ % 2;
  slots_[2 * thread + half] = value;
  wait(Waiting::warp);
  return half;
}

uint64_t Emulator::exchange(uint64_t value, int lane) {
  const int first = thread / 32 * 32;
  const uint32_t half = give(value);
  return slots_[2 * (first + lane) + half];
}

uint32_t Emulator::ballot(bool value) {
  const int first = thread / 32 * 32;
  const uint32_t half = give(value);
  uint32_t bits = 0;
  for (int lane = 0; lane < 32; ++lane)
    bits |= static_cast<uint32_t>(slots_[2 * (first + lane) + half]) << lane;
  return bits;
}

// Lets go on whoever waits for nobody any more; false when nobody does.
bool Emulator::release() {
  bool any = false, all = true;
  for (int first = 0; first < threads; first += 32) {
    const auto begin = threads_.begin() + first, end = begin + std::min(32, threads - first);
    all = all && std::all_of(begin, end, [](const Thread& t) { return t.waiting == Waiting::barrier; });
    if (!std::all_of(begin, end, [](const Thread& t) { return t.waiting == Waiting::warp; })) continue;
    for (int i = first; i < std::min(first + 32, threads); ++i) resume(i);
    any = true;
  }
  if (!all) return any;
  ++epoch_;
  for (int i = 0; i < threads; ++i) resume(i);
  return true;
}

Status Emulator::run_block(const std::string& name, Grid at, int count, const std::function<void()>& body) {
  name_ = name;
  block = at;
  threads = count;
  body_ = &body;
  threads_.assign(count, {});
  slots_.resize(2 * count);
  shared_.clear();
  error_.clear();
  epoch_ = 1;
  for (int i = 0; i < count; ++i) resume(i);
  const auto done = [](const Thread& t) { return t.done; };
  while (!std::all_of(threads_.begin(), threads_.end(), done)) {
    if (release()) continue;
    fail("a barrier or shuffle that not all threads reach");
    // Their fibers cannot go on; what they hold is lost with them.
    for (Thread& t : threads_) t.fiber = nullptr;
    break;
  }
  if (error_.empty()) return {};
  return Status::error(Code::internal, "emulated kernel " + name_ + ": " + error_);
}

void Emulator::fail(const std::string& what) {
  if (!error_.empty()) return;
  error_ = what + " (thread " + std::to_string(thread) + " of block " + std::to_string(block.x) + ", " +
           std::to_string(block.y) + ", " + std::to_string(block.z) + ")";
}

SharedMemory& Emulator::shared(const void* tag, const char* name, size_t elements, size_t bytes) {
  SharedMemory& memory = shared_[tag];
  if (memory.shadows.empty()) {
    memory.name = name;
    memory.bytes.resize((bytes + 7) / 8);
    memory.shadows.resize(elements);
  }
  return memory;
}

bool Emulator::touch(SharedMemory& memory, int64_t element, Access access) {
  const auto broken = [&](const char* what) {
    fail(std::string(what) + " " + memory.name + "[" + std::to_string(element) + "]");
    return false;
  };
  if (element < 0 || element >= static_cast<int64_t>(memory.shadows.size()))
    return broken("no such element:");
  Shadow& s = memory.shadows[element];
  const auto self = static_cast<int16_t>(thread);
  const bool written = s.written == epoch_;
  if (access == Access::read) {
    if (s.written == 0) return broken("read before any write:");
    if (written && s.writer != self) return broken("race, read beside a write:");
    s.reader = s.read == epoch_ && s.reader != self ? kMany : self;
    s.read = epoch_;
    return true;
  }
  const int16_t writer = access == Access::atomic ? kAtomic : self;
  if (written && s.writer != writer) return broken("race, two writes:");
  if (s.read == epoch_ && s.reader != self) return broken("race, write beside a read:");
  s.writer = writer;
  s.written = epoch_;
  return true;
}

Status run_grid(const char* name, Grid grid, int threads, const std::function<void()>& body) {
  const int64_t blocks = int64_t{grid.x} * grid.y * grid.z;
  if (grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffffu || threads % 32 || threads > 1024)
    return Status::error(Code::internal, std::string("emulated kernel ") + name + ": no such grid");
  Status first;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic, 8) if (blocks * threads > 2048)
  for (int64_t b = 0; b < blocks; ++b) {
    const Grid at{static_cast<uint32_t>(b % grid.x), static_cast<uint32_t>(b / grid.x % grid.y),
                  static_cast<uint32_t>(b / grid.x / grid.y)};
    Status status = emulator().run_block(name, at, threads, body);
    if (status.ok()) continue;
    std::lock_guard lock(mutex);
    if (first.ok()) first = std::move(status);
  }
  return first;
}

}  // namespace nlrcnn::cuda
