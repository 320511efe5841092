#include <cub/device/device_radix_sort.cuh>

#include "cuda/gpu/stream.h"
#include "cuda/library.h"

namespace nlrcnn::cuda {

size_t sort_workspace_bytes(int64_t count) {
  size_t bytes = 0;
  cub::DeviceRadixSort::SortKeys(nullptr, bytes, static_cast<const uint64_t*>(nullptr),
                                 static_cast<uint64_t*>(nullptr), count, 0, 64);
  return bytes;
}

Status sort_keys(Stream& stream, const uint64_t* in, uint64_t* out, int64_t count, int first, int last,
                 void* workspace) {
  if (count == 0) return {};
  size_t bytes = sort_workspace_bytes(count);
  return cuda_status(
      cub::DeviceRadixSort::SortKeys(workspace, bytes, in, out, count, first, last, stream.handle),
      "sorting");
}

}  // namespace nlrcnn::cuda
