#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/numeric.h"
#include "cuda/runtime.h"

// Blocks and threads of a GPU on the CPU: each thread of a block is a fiber that runs until it waits at a
// barrier or for its warp. Out-of-bounds accesses, races in shared memory, reads of shared memory that nobody
// wrote and barriers that not all threads reach are errors of the launch.
namespace nlrcnn::cuda {

enum class Access { read, write, atomic };

// Who touched one element of shared memory since the last barrier.
struct Shadow {
  uint32_t written = 0, read = 0;  // epochs; 0: never
  int16_t writer = 0, reader = 0;
};

struct SharedMemory {
  const char* name;
  std::vector<uint64_t> bytes;
  std::vector<Shadow> shadows;
};

class Emulator {
 public:
  enum class Waiting : uint8_t { none, barrier, warp };

  int thread = 0, threads = 0;
  Grid block{0};

  Status run_block(const std::string& name, Grid block, int threads, const std::function<void()>& body);
  void wait(Waiting what);
  // What `lane` of this warp gave to the same call.
  uint64_t exchange(uint64_t value, int lane);
  uint32_t ballot(bool value);
  void fail(const std::string& what);
  SharedMemory& shared(const void* tag, const char* name, size_t elements, size_t bytes);
  // Whether the access is in order; it has failed where not.
  bool touch(SharedMemory& memory, int64_t element, Access access);

  ~Emulator();

 private:
  struct Fiber {
    void* stack;
    void* pointer;
    Emulator* emulator;
  };
  struct Thread {
    Fiber* fiber = nullptr;
    Waiting waiting = Waiting::none;
    bool done = false;
    uint32_t exchanges = 0;
  };

  static void enter(Fiber* fiber);
  Fiber* take_fiber();
  void resume(int index);
  bool release();
  // Gives a value to this warp's threads; they then find it in slot 2 · thread + what this returns.
  uint32_t give(uint64_t value);

  const std::function<void()>* body_ = nullptr;
  std::string name_, error_;
  uint32_t epoch_ = 0;
  std::vector<Thread> threads_;
  std::vector<uint64_t> slots_;  // of shuffles, two per thread
  std::map<const void*, SharedMemory> shared_;
  std::vector<Fiber*> free_;
  void* scheduler_ = nullptr;
};

// Of the calling thread of the operating system.
Emulator& emulator();

Status run_grid(const char* name, Grid grid, int threads, const std::function<void()>& body);

template <class T, size_t N>
class SharedArray {
 public:
  SharedArray(const void* tag, const char* name) : memory_(emulator().shared(tag, name, N, N * sizeof(T))) {}

  // One element: reads and writes of it are checked.
  class Element {
   public:
    Element(SharedArray& array, int64_t i) : array_(array), i_(i) {}
    operator T() const {
      const T* place = array_.access(i_, Access::read);
      return place ? *place : T{};
    }
    Element& operator=(T v) {
      if (T* place = array_.access(i_, Access::write)) *place = v;
      return *this;
    }
    Element& operator=(const Element& other) { return *this = static_cast<T>(other); }
    Element& operator+=(T v) { return *this = static_cast<T>(*this) + v; }
    Element& operator*=(T v) { return *this = static_cast<T>(*this) * v; }

   private:
    SharedArray& array_;
    int64_t i_;
  };
  Element operator[](int64_t i) { return {*this, i}; }

  T* access(int64_t i, Access access) {
    return emulator().touch(memory_, i, access) ? reinterpret_cast<T*>(memory_.bytes.data()) + i : nullptr;
  }

 private:
  SharedMemory& memory_;
};

}  // namespace nlrcnn::cuda
