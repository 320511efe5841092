#pragma once
#include "core/cuda_plugin.h"

// What this backend asks of CUDA's runtime; gpu/ answers with CUDA, emulation/ on the CPU.
namespace nlrcnn::cuda {

struct Grid {
  uint32_t x, y = 1, z = 1;
};

// A CUDA stream with its library handles and their workspace. One thread at a time.
struct Stream;
struct StreamDeleter {
  void operator()(Stream* stream) const;
};
using StreamPointer = std::unique_ptr<Stream, StreamDeleter>;

// What was captured from a stream, ready to be launched.
struct Executable;
struct ExecutableDeleter {
  void operator()(Executable* executable) const;
};
using ExecutablePointer = std::unique_ptr<Executable, ExecutableDeleter>;

std::string library_versions();
Status list_gpus(std::vector<GpuInfo>* out);
Status select_gpu(int index);  // of the calling thread

Result<std::shared_ptr<Storage>> allocate_device(size_t bytes);
Result<std::shared_ptr<Storage>> allocate_pinned(size_t bytes);

Result<StreamPointer> make_stream();
// Asynchronous where host memory is pinned.
Status copy_to_device(Stream& stream, void* to, const void* from, size_t bytes);
Status copy_to_host(Stream& stream, void* to, const void* from, size_t bytes);
Status fill_bytes(Stream& stream, void* to, int byte, size_t bytes);
Status synchronize(Stream& stream);

Status begin_capture(Stream& stream);
Result<ExecutablePointer> end_capture(Stream& stream);
Status launch_executable(Stream& stream, Executable& executable);

// Microseconds of the device between two marks, read after both have passed.
struct Mark;
struct MarkDeleter {
  void operator()(Mark* mark) const;
};
using MarkPointer = std::unique_ptr<Mark, MarkDeleter>;
Result<MarkPointer> make_mark(Stream& stream);
double microseconds_between(Mark& from, Mark& to);

}  // namespace nlrcnn::cuda
