#pragma once
#include "cuda/numeric.h"
#include "cuda/runtime.h"

// The language of our kernels: CUDA C++ that also runs in an emulation of blocks and threads on the CPU.
// Blocks have one dimension, a multiple of 32; every thread takes part in each barrier and shuffle.
//
//   Span<T>                          memory of the device; bounds are checked in the emulation
//   NLRCNN_SHARED(T, name, size)     shared memory; races and bounds are checked in the emulation
//   NLRCNN_UNROLL(n)                 before a loop: n turns' reads at once
//   launch(stream, "name", grid, threads, kernel<T>, arguments…)
#ifdef __CUDACC__
#include "cuda/gpu/kernel_gpu.h"
#else
#include "cuda/emulation/kernel_emulated.h"
#endif

namespace nlrcnn::cuda {

inline constexpr int kThreads = 256;

inline int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Blocks of `threads` that cover `items`, one each.
inline Grid grid_of(int64_t items, int threads = kThreads) {
  return {static_cast<uint32_t>(ceil_div(items, threads)), 1, 1};
}

// This thread among all of a grid of one dimension.
NLRCNN_DEVICE int64_t global_index() {
  return static_cast<int64_t>(block_x()) * block_size() + thread_index();
}

NLRCNN_DEVICE float warp_sum(float v) {
  for (int step = 16; step > 0; step /= 2) v += shuffle_xor(v, step);
  return v;
}
NLRCNN_DEVICE float warp_max(float v) {
  for (int step = 16; step > 0; step /= 2) {
    const float other = shuffle_xor(v, step);
    v = other > v ? other : v;
  }
  return v;
}

// The sum over a block of kThreads, known to all; `sums` has one element for each warp.
template <class Array>
NLRCNN_DEVICE double block_sum(Array& sums, double v) {
  for (int step = 16; step > 0; step /= 2) v += shuffle_xor(v, step);
  if (thread_index() % 32 == 0) sums[thread_index() / 32] = v;
  barrier();
  double all = 0;
  for (int w = 0; w < kThreads / 32; ++w) all += sums[w];
  barrier();
  return all;
}

// What comes before a thread's own value in a block of kThreads, and the sum of all; `sums` has one element
// for each warp.
struct Scanned {
  int32_t before, all;
};
template <class Array>
NLRCNN_DEVICE Scanned scan_block(Array& sums, int32_t own) {
  const int t = thread_index(), lane = t % 32;
  int32_t inclusive = own;
  for (int step = 1; step < 32; step *= 2) {
    const int32_t other = shuffle_up(inclusive, step);
    if (lane >= step) inclusive += other;
  }
  if (lane == 31) sums[t / 32] = inclusive;
  barrier();
  int32_t before = inclusive - own, all = 0;
  for (int w = 0; w < kThreads / 32; ++w) {
    const int32_t sum = sums[w];
    if (w < t / 32) before += sum;
    all += sum;
  }
  barrier();
  return {before, all};
}

// What a kernel found wrong with its input's values, for the user to read after the run (Plan::run).
enum class Fault : int { none, image_index, label, segments, pixels, geometry, anchor };

// Device memory of two int32: a Fault and the value.
using Faults = Span<int32_t>;
NLRCNN_DEVICE void report(Faults faults, Fault fault, int32_t value) {
  if (atomic_exchange(faults, 0, static_cast<int32_t>(fault)) == 0) faults[1] = value;
}

// Rows that `count` says are valid; all where there is no count.
NLRCNN_DEVICE int64_t rows_of(Span<const int32_t> count, int64_t rows) {
  if (!count) return rows;
  const int64_t n = count[0];
  return n < 0 ? 0 : n < rows ? n : rows;
}

}  // namespace nlrcnn::cuda
