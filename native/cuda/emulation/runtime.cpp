#include "cuda/runtime.h"

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "cuda/emulation/stream.h"

namespace nlrcnn::cuda {

struct Executable {
  std::vector<std::function<Status()>> work;
};
struct Mark {
  std::chrono::steady_clock::time_point time;
};

void StreamDeleter::operator()(Stream* stream) const {
  delete stream;
}
void ExecutableDeleter::operator()(Executable* executable) const {
  delete executable;
}
void MarkDeleter::operator()(Mark* mark) const {
  delete mark;
}

std::string library_versions() {
  return "emulated";
}

Status list_gpus(std::vector<GpuInfo>* out) {
  out->push_back({"emulated", 9, 0, size_t{8} << 30, size_t{8} << 30});
  return {};
}

Status select_gpu(int) {
  return {};
}

// A GPU's memory is full of what was there before, hence the pattern (NaN as floats).
Result<std::shared_ptr<Storage>> allocate_device(size_t bytes) {
  const char* limit = std::getenv("NLRCNN_EMULATED_MEMORY");
  if (limit && bytes > std::strtoull(limit, nullptr, 10))
    return Status::error(Code::out_of_memory, "Out of memory on the GPU: " + std::to_string(bytes) +
                                                  " bytes were asked for, " + limit + " are free");
  auto storage = allocate_host(bytes);
  if (!storage) return Status::error(Code::out_of_memory, "Out of memory in the emulated GPU");
  std::memset(storage->data(), 0xff, bytes);
  return storage;
}

Result<std::shared_ptr<Storage>> allocate_pinned(size_t bytes) {
  return allocate_device(bytes);
}

Result<StreamPointer> make_stream() {
  return StreamPointer(new Stream());
}

Status copy_to_device(Stream& stream, void* to, const void* from, size_t bytes) {
  return stream.submit([=] {
    if (bytes) std::memcpy(to, from, bytes);
    return Status{};
  });
}

Status copy_to_host(Stream& stream, void* to, const void* from, size_t bytes) {
  return copy_to_device(stream, to, from, bytes);
}

Status fill_bytes(Stream& stream, void* to, int byte, size_t bytes) {
  return stream.submit([=] {
    if (bytes) std::memset(to, byte, bytes);
    return Status{};
  });
}

Status synchronize(Stream&) {
  return {};
}

Status begin_capture(Stream& stream) {
  stream.capturing = true;
  stream.captured.clear();
  return {};
}

Result<ExecutablePointer> end_capture(Stream& stream) {
  stream.capturing = false;
  return ExecutablePointer(new Executable{std::move(stream.captured)});
}

Status launch_executable(Stream&, Executable& executable) {
  for (const auto& work : executable.work)
    if (Status status = work(); !status.ok()) return status;
  return {};
}

Result<MarkPointer> make_mark(Stream&) {
  return MarkPointer(new Mark{std::chrono::steady_clock::now()});
}

double microseconds_between(Mark& from, Mark& to) {
  return std::chrono::duration<double, std::micro>(to.time - from.time).count();
}

}  // namespace nlrcnn::cuda
