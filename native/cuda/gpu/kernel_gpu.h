#pragma once
#include "cuda/gpu/stream.h"

#define NLRCNN_KERNEL __global__
#define NLRCNN_DEVICE __device__ __forceinline__
// Aligned so that neighbours can be read at once.
#define NLRCNN_SHARED(type, name, size) __shared__ __align__(16) type name[size]

// Before a loop whose reads should be under way at once.
#define NLRCNN_PRAGMA(text) _Pragma(#text)
#define NLRCNN_UNROLL(times) NLRCNN_PRAGMA(unroll times)

namespace nlrcnn::cuda {

template <class T>
struct Span {
  T* data = nullptr;

  Span() = default;
  __host__ __device__ Span(T* data, size_t) : data(data) {}
  template <class U>
  __host__ __device__ Span(Span<U> other) : data(other.data) {}
  __device__ T& operator[](int64_t i) const { return data[i]; }
  __host__ __device__ explicit operator bool() const { return data != nullptr; }
};

NLRCNN_DEVICE int thread_index() {
  return threadIdx.x;
}
NLRCNN_DEVICE int block_size() {
  return blockDim.x;
}
NLRCNN_DEVICE uint32_t block_x() {
  return blockIdx.x;
}
NLRCNN_DEVICE uint32_t block_y() {
  return blockIdx.y;
}
NLRCNN_DEVICE uint32_t block_z() {
  return blockIdx.z;
}
NLRCNN_DEVICE void barrier() {
  __syncthreads();
}
template <class T>
NLRCNN_DEVICE T shuffle_xor(T v, int mask) {
  return __shfl_xor_sync(0xffffffffu, v, mask);
}
template <class T>
NLRCNN_DEVICE T shuffle_up(T v, int delta) {
  return __shfl_up_sync(0xffffffffu, v, delta);
}
// Bit i: what lane i gave.
NLRCNN_DEVICE uint32_t ballot(bool v) {
  return __ballot_sync(0xffffffffu, v);
}
NLRCNN_DEVICE int count_bits(uint32_t bits) {
  return __popc(bits);
}

// `i`: a multiple of the pack's size.
template <class T>
NLRCNN_DEVICE Pack<T> load_pack(Span<const T> from, int64_t i) {
  const int4 bits = __ldg(reinterpret_cast<const int4*>(from.data + i));
  Pack<T> pack;
  memcpy(&pack, &bits, sizeof pack);
  return pack;
}
template <class T>
NLRCNN_DEVICE void store_pack(Span<T> to, int64_t i, const Pack<T>& pack) {
  int4 bits;
  memcpy(&bits, &pack, sizeof bits);
  *reinterpret_cast<int4*>(to.data + i) = bits;
}

NLRCNN_DEVICE int32_t atomic_exchange(Span<int32_t> at, int64_t i, int32_t v) {
  return atomicExch(at.data + i, v);
}
NLRCNN_DEVICE int32_t atomic_add(Span<int32_t> at, int64_t i, int32_t v) {
  return atomicAdd(at.data + i, v);
}
template <size_t N>
NLRCNN_DEVICE void atomic_or(uint64_t (&at)[N], int i, uint64_t v) {
  atomicOr(reinterpret_cast<unsigned long long*>(at + i), static_cast<unsigned long long>(v));
}

template <class... P, class... A>
Status launch(Stream& stream, const char* name, Grid grid, int threads, void (*kernel)(P...),
              A... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return {};
  kernel<<<dim3(grid.x, grid.y, grid.z), threads, 0, stream.handle>>>(P(arguments)...);
  return cuda_status(cudaGetLastError(), name);
}

}  // namespace nlrcnn::cuda
