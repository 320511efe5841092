#pragma once
#include "cuda/emulation/emulator.h"
#include "cuda/emulation/stream.h"

#define NLRCNN_KERNEL
#define NLRCNN_DEVICE inline
// One tag per declaration and instantiation tells arrays apart.
#define NLRCNN_SHARED(type, name, size) \
  static const char name##_tag = 0;     \
  nlrcnn::cuda::SharedArray<type, size> name(&name##_tag, #name)
#define NLRCNN_UNROLL(times)

namespace nlrcnn::cuda {

template <class T>
struct Span {
  T* data = nullptr;
  size_t size = 0;

  Span() = default;
  Span(T* data, size_t size) : data(data), size(size) {}
  template <class U>
  Span(Span<U> other) : data(other.data), size(other.size) {}
  T& operator[](int64_t i) const {
    if (static_cast<size_t>(i) < size) return data[i];
    emulator().fail("element " + std::to_string(i) + " of a span of " + std::to_string(size));
    static thread_local std::remove_const_t<T> nowhere;
    return nowhere = {};
  }
  explicit operator bool() const { return data != nullptr; }
};

inline int thread_index() {
  return emulator().thread;
}
inline int block_size() {
  return emulator().threads;
}
inline uint32_t block_x() {
  return emulator().block.x;
}
inline uint32_t block_y() {
  return emulator().block.y;
}
inline uint32_t block_z() {
  return emulator().block.z;
}
inline void barrier() {
  emulator().wait(Emulator::Waiting::barrier);
}

template <class T>
T exchange(T v, int lane) {
  uint64_t bits = 0;
  static_assert(sizeof v <= sizeof bits);
  std::memcpy(&bits, &v, sizeof v);
  bits = emulator().exchange(bits, lane);
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
template <class T>
T shuffle_xor(T v, int mask) {
  return exchange(v, (thread_index() ^ mask) & 31);
}
template <class T>
T shuffle_up(T v, int delta) {
  const int lane = thread_index() & 31;
  return exchange(v, lane >= delta ? lane - delta : lane);
}

inline uint32_t ballot(bool v) {
  return emulator().ballot(v);
}
inline int count_bits(uint32_t bits) {
  return __builtin_popcount(bits);
}

template <class T>
bool check_pack(Span<T> span, int64_t i) {
  constexpr int64_t n = 16 / sizeof(T);
  if (i >= 0 && static_cast<size_t>(i + n) <= span.size &&
      reinterpret_cast<uintptr_t>(span.data + i) % 16 == 0)
    return true;
  emulator().fail("a pack at element " + std::to_string(i) + " of a span of " + std::to_string(span.size));
  return false;
}
template <class T>
Pack<T> load_pack(Span<const T> from, int64_t i) {
  Pack<T> pack{};
  if (check_pack(from, i)) std::memcpy(&pack, from.data + i, sizeof pack);
  return pack;
}
template <class T>
void store_pack(Span<T> to, int64_t i, const Pack<T>& pack) {
  if (check_pack(to, i)) std::memcpy(to.data + i, &pack, sizeof pack);
}

inline int32_t atomic_exchange(Span<int32_t> at, int64_t i, int32_t v) {
  return __atomic_exchange_n(&at[i], v, __ATOMIC_RELAXED);
}
inline int32_t atomic_add(Span<int32_t> at, int64_t i, int32_t v) {
  return __atomic_fetch_add(&at[i], v, __ATOMIC_RELAXED);
}
template <size_t N>
void atomic_or(SharedArray<uint64_t, N>& at, int i, uint64_t v) {
  if (uint64_t* place = at.access(i, Access::atomic)) *place |= v;
}

template <class... P, class... A>
Status launch(Stream& stream, const char* name, Grid grid, int threads, void (*kernel)(P...),
              A... arguments) {
  return stream.submit([=] { return run_grid(name, grid, threads, [=] { kernel(P(arguments)...); }); });
}

}  // namespace nlrcnn::cuda
