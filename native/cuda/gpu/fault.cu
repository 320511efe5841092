#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

// An addon that launches a kernel with a fault when Node loads it, which compute-sanitizer must find before
// what it says of the others counts: NLRCNN_FAULT names the tool that finds it.
namespace {

constexpr int kSize = 64;

__global__ void write_beyond(int* out) {
  out[kSize + threadIdx.x] = 1;
}

__global__ void race(int* out) {
  __shared__ int one;
  one = static_cast<int>(threadIdx.x);
  out[threadIdx.x] = one;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  const char* fault = std::getenv("NLRCNN_FAULT");
  int* out = nullptr;
  if (!fault || cudaMalloc(&out, kSize * sizeof(int)) != cudaSuccess) return exports;
  if (std::string_view(fault) == "memcheck") write_beyond<<<1, kSize>>>(out);
  if (std::string_view(fault) == "racecheck") race<<<1, kSize>>>(out);
  std::printf("# planted fault: %s\n", cudaGetErrorString(cudaDeviceSynchronize()));
  cudaFree(out);
  return exports;
}
