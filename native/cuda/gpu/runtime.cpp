#include "cuda/runtime.h"

#include "cuda/gpu/stream.h"

namespace nlrcnn::cuda {

struct Executable {
  cudaGraphExec_t handle;
};
struct Mark {
  cudaEvent_t handle;
};

Status cuda_status(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // else the thread's next launch would report it again
  const Code code = error == cudaErrorMemoryAllocation ? Code::out_of_memory : Code::device;
  return Status::error(code, std::string("CUDA failed at ") + what + ": " + cudaGetErrorString(error));
}

void StreamDeleter::operator()(Stream* stream) const {
  if (stream->dnn) cudnnDestroy(stream->dnn);
  if (stream->blas) cublasLtDestroy(stream->blas);
  if (stream->handle) cudaStreamDestroy(stream->handle);
  delete stream;
}
void ExecutableDeleter::operator()(Executable* executable) const {
  cudaGraphExecDestroy(executable->handle);
  delete executable;
}
void MarkDeleter::operator()(Mark* mark) const {
  cudaEventDestroy(mark->handle);
  delete mark;
}

std::string library_versions() {
  int runtime = 0, driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  const auto dotted = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
  const size_t blas = cublasLtGetVersion(), dnn = cudnnGetVersion();
  return "CUDA " + dotted(runtime) + " (driver for " + dotted(driver) + "), cuBLASLt " +
         std::to_string(blas) + ", cuDNN " + std::to_string(dnn);
}

Status list_gpus(std::vector<GpuInfo>* out) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice) return {};
  int driver = 0;
  if (error == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0)
    return Status::error(Code::device, "no NVIDIA driver (libcuda.so.1 not found)");
  if (error == cudaErrorInsufficientDriver)
    return Status::error(Code::device, "the NVIDIA driver is older than CUDA " +
                                           std::to_string(CUDART_VERSION / 1000) + " needs");
  if (error != cudaSuccess) return cuda_status(error, "cudaGetDeviceCount");
  int before = 0;
  cudaGetDevice(&before);
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    GpuInfo info;
    if (Status s = cuda_status(cudaGetDeviceProperties(&properties, i), "cudaGetDeviceProperties"); !s.ok())
      return s;
    info.name = properties.name;
    info.major = properties.major;
    info.minor = properties.minor;
    cudaSetDevice(i);
    cudaMemGetInfo(&info.free_memory, &info.total_memory);
    out->push_back(info);
  }
  cudaSetDevice(before);
  return {};
}

Status select_gpu(int index) {
  return cuda_status(cudaSetDevice(index), "cudaSetDevice");
}

namespace {

using Allocate = cudaError_t (*)(void**, size_t);

Result<std::shared_ptr<Storage>> allocate(size_t bytes, Allocate make, void (*release)(void*, size_t)) {
  void* data = nullptr;
  const cudaError_t error = make(&data, bytes ? bytes : 1);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is not sticky: what comes next works
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    return Status::error(Code::out_of_memory, "Out of memory on the GPU: " + std::to_string(bytes) +
                                                  " bytes were asked for, " + std::to_string(free) + " of " +
                                                  std::to_string(total) + " are free");
  }
  if (error != cudaSuccess) return cuda_status(error, "allocating memory");
  return std::make_shared<Storage>(data, bytes, release);
}

}  // namespace

Result<std::shared_ptr<Storage>> allocate_device(size_t bytes) {
  return allocate(
      bytes, [](void** data, size_t n) { return cudaMalloc(data, n); },
      [](void* data, size_t) { cudaFree(data); });
}

Result<std::shared_ptr<Storage>> allocate_pinned(size_t bytes) {
  return allocate(
      bytes, [](void** data, size_t n) { return cudaMallocHost(data, n); },
      [](void* data, size_t) { cudaFreeHost(data); });
}

Result<StreamPointer> make_stream() {
  StreamPointer stream(new Stream());
  if (Status s = cuda_status(cudaStreamCreateWithFlags(&stream->handle, cudaStreamNonBlocking), "a stream");
      !s.ok())
    return s;
  if (cublasLtCreate(&stream->blas) != CUBLAS_STATUS_SUCCESS)
    return Status::error(Code::device, "cuBLASLt could not be initialised");
  if (const cudnnStatus_t status = cudnnCreate(&stream->dnn); status != CUDNN_STATUS_SUCCESS)
    return Status::error(Code::device, std::string("cuDNN: ") + cudnnGetErrorString(status));
  cudnnSetStream(stream->dnn, stream->handle);
  auto workspace = allocate_device(kGemmWorkspace);
  if (!workspace.ok()) return workspace.status();
  stream->gemm_workspace = std::move(workspace.value());
  return stream;
}

Status copy_to_device(Stream& stream, void* to, const void* from, size_t bytes) {
  if (bytes == 0) return {};
  return cuda_status(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream.handle), "an upload");
}

Status copy_to_host(Stream& stream, void* to, const void* from, size_t bytes) {
  if (bytes == 0) return {};
  return cuda_status(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream.handle), "a download");
}

Status fill_bytes(Stream& stream, void* to, int byte, size_t bytes) {
  if (bytes == 0) return {};
  return cuda_status(cudaMemsetAsync(to, byte, bytes, stream.handle), "cudaMemsetAsync");
}

Status synchronize(Stream& stream) {
  return cuda_status(cudaStreamSynchronize(stream.handle), "waiting for the GPU");
}

Status begin_capture(Stream& stream) {
  // Relaxed, as libraries may still allocate; nothing else touches the stream meanwhile.
  const Status status = cuda_status(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeRelaxed),
                                    "cudaStreamBeginCapture");
  stream.capturing = status.ok();
  return status;
}

Result<ExecutablePointer> end_capture(Stream& stream) {
  stream.capturing = false;
  cudaGraph_t graph = nullptr;
  if (Status s = cuda_status(cudaStreamEndCapture(stream.handle, &graph), "cudaStreamEndCapture"); !s.ok())
    return s;
  cudaGraphExec_t handle = nullptr;
  const Status status = cuda_status(cudaGraphInstantiate(&handle, graph, 0), "cudaGraphInstantiate");
  cudaGraphDestroy(graph);
  if (!status.ok()) return status;
  return ExecutablePointer(new Executable{handle});
}

Status launch_executable(Stream& stream, Executable& executable) {
  return cuda_status(cudaGraphLaunch(executable.handle, stream.handle), "cudaGraphLaunch");
}

Result<MarkPointer> make_mark(Stream& stream) {
  cudaEvent_t event = nullptr;
  if (Status s = cuda_status(cudaEventCreate(&event), "cudaEventCreate"); !s.ok()) return s;
  MarkPointer mark(new Mark{event});
  if (Status s = cuda_status(cudaEventRecord(event, stream.handle), "cudaEventRecord"); !s.ok()) return s;
  return mark;
}

double microseconds_between(Mark& from, Mark& to) {
  float milliseconds = 0;
  cudaEventElapsedTime(&milliseconds, from.handle, to.handle);
  return 1000.0 * milliseconds;
}

}  // namespace nlrcnn::cuda
