#include "cuda/plan.h"

#include <algorithm>
#include <cstring>

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

constexpr size_t kAlign = 256;
constexpr size_t kHeader = 16;  // of a dynamic output: how many elements there are
// Of the last and largest dynamic output comes down at once.
constexpr size_t kDownload = 256 << 10;

size_t align_up(size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

const char* describe(Fault fault) {
  switch (fault) {
    case Fault::image_index:
      return "Expected rois whose image index names one of the images but received one for row ";
    case Fault::label:
      return "Expected labels below the number of classes but received ";
    case Fault::segments:
      return "Expected segments that sum to at most the number of RoIs but received a sum of ";
    case Fault::pixels:
      return "Expected finite pixels but received NaN or infinity at value ";
    case Fault::anchor:
      return "Expected indices of sampled anchors, each once, below the number of anchors but received ";
    default:
      return "Expected geometry that fits the pixels and the padded size but received a height of ";
  }
}

}  // namespace

CudaPlan::CudaPlan(std::shared_ptr<CudaDevice> device, Graph graph, std::vector<int> outputs)
    : Plan(std::move(graph), std::move(outputs)), device_(std::move(device)) {
  made_by_.assign(graph_.values.size(), {-1, -1});
  for (size_t s = 0; s < graph_.steps.size(); ++s)
    for (size_t o = 0; o < graph_.steps[s].out.size(); ++o)
      made_by_[graph_.steps[s].out[o]] = {static_cast<int>(s), static_cast<int>(o)};
}

CudaPlan::~CudaPlan() {
  for (Captured& captured : captured_) captured.executable.reset();
  if (retained_) device_->release_arenas();
}

bool CudaPlan::made_here(int value) const {
  return made_by_[value].first >= 0;
}

uint64_t CudaPlan::versions() const {
  uint64_t sum = 0;
  for (const Value& value : graph_.values)
    if (value.storage) sum += value.storage->version();
  return sum;
}

size_t CudaPlan::dynamic_bytes(int value) const {
  const auto [step, output] = made_by_[value];
  return kHeader + kernels_[step]->capacity(output) * dtype_size(graph_.values[value].desc.dtype);
}

Status CudaPlan::prepare(Stream& stream) {
  kernels_.clear();
  for (const Step& step : graph_.steps) {
    auto kernel = find_kernel(step.call.name)(step.call, stream);
    if (!kernel.ok()) return kernel.status();
    kernels_.push_back(std::move(kernel.value()));
  }
  place_all();
  if (!retained_) device_->retain_arenas();
  prepared_ = retained_ = true;
  return {};
}

void CudaPlan::place_all() {
  const auto& values = graph_.values;
  std::map<int, size_t> dynamic;
  for (size_t v = 0; v < values.size(); ++v)
    if (values[v].desc.dynamic()) dynamic[static_cast<int>(v)] = dynamic_bytes(static_cast<int>(v));
  // What comes down lies in a block of its own, the largest last.
  std::vector<int> results;
  for (int v : outputs_)
    if (made_here(v) && !values[v].storage && !std::count(results.begin(), results.end(), v))
      results.push_back(v);
  const auto size_of = [&](int v) {
    return dynamic.count(v) ? dynamic.at(v) : values[v].desc.bytes(graph_.target.block);
  };
  std::stable_sort(results.begin(), results.end(), [&](int a, int b) { return size_of(a) < size_of(b); });

  const Placement placement = place(graph_, outputs_, kAlign, dynamic);
  offsets_ = placement.offsets;
  size_t workspace = 0;
  for (const auto& kernel : kernels_) workspace = std::max(workspace, kernel->workspace_bytes());
  workspace_ = placement.bytes;
  inputs_ = workspace_ + align_up(workspace);

  // Partial inputs last, so that one upload stops where their values do.
  size_t end = inputs_;
  for (const bool partial : {false, true})
    for (size_t v = 0; v < values.size(); ++v) {
      if (values[v].input < 0 || values[v].partial != partial) continue;
      offsets_[v] = end;
      end += align_up(values[v].desc.bytes(1));
    }
  staging_results_ = end - inputs_;
  results_ = end;
  end += kAlign;  // faults
  download_bytes_ = end - results_;
  for (int v : results) {
    offsets_[v] = end;
    const size_t bytes = size_of(v);
    download_bytes_ = end - results_ + (dynamic.count(v) ? std::min(bytes, kDownload) : bytes);
    end += align_up(bytes);
  }
  device_bytes_ = end;
  results_bytes_ = end - results_;
}

char* CudaPlan::address(Lane& lane, int value) const {
  const Value& v = graph_.values[value];
  if (v.storage) return static_cast<char*>(v.storage->data());
  return static_cast<char*>(lane.arena.device->data()) + offsets_[value];
}

Status CudaPlan::upload(Lane& lane, const std::vector<Input>& inputs) {
  char* staging = static_cast<char*>(lane.arena.staging->data());
  size_t end = 0;
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const Value& value = graph_.values[v];
    if (value.input < 0) continue;
    const Input& input = inputs[value.input];
    const size_t at = offsets_[v] - inputs_;
    if (input.bytes) std::memcpy(staging + at, input.data, input.bytes);
    end = std::max(end, at + input.bytes);
  }
  return copy_to_device(*lane.stream, static_cast<char*>(lane.arena.device->data()) + inputs_, staging, end);
}

Status CudaPlan::launch_all(Lane& lane, std::vector<Timing>* timings) {
  Stream& stream = *lane.stream;
  char* arena = static_cast<char*>(lane.arena.device->data());
  if (Status s = fill_bytes(stream, arena + results_, 0, kAlign); !s.ok()) return s;
  std::vector<MarkPointer> marks;
  const auto mark = [&]() -> Status {
    if (!timings) return {};
    auto made = make_mark(stream);
    if (!made.ok()) return made.status();
    marks.push_back(std::move(made.value()));
    return {};
  };
  if (Status s = mark(); !s.ok()) return s;
  for (size_t i = 0; i < kernels_.size(); ++i) {
    const Step& step = graph_.steps[i];
    RunContext context;
    for (int v : step.in) {
      if (v >= 0 && graph_.values[v].storage && !graph_.values[v].storage->status.ok())
        return graph_.values[v].storage->status;
      context.in.push_back(v < 0 ? View{} : View{&graph_.values[v].desc, address(lane, v)});
      context.in_storage.push_back(v < 0 ? nullptr : graph_.values[v].storage.get());
    }
    for (int v : step.out) context.out.push_back({&graph_.values[v].desc, address(lane, v)});
    context.workspace = arena + workspace_;
    context.stream = &stream;
    context.faults = arena + results_;
    if (Status s = kernels_[i]->run(context); !s.ok()) return s;
    if (Status s = mark(); !s.ok()) return s;
  }
  char* staging = static_cast<char*>(lane.arena.staging->data()) + staging_results_;
  if (Status s = copy_to_host(stream, staging, arena + results_, download_bytes_); !s.ok()) return s;
  if (!timings) return {};
  if (Status s = synchronize(stream); !s.ok()) return s;
  for (size_t i = 0; i < kernels_.size(); ++i)
    timings->push_back({graph_.steps[i].call.name, microseconds_between(*marks[i], *marks[i + 1])});
  return {};
}

Status CudaPlan::replay(Lane& lane) {
  Captured& captured = captured_[lane.index];
  if (!captured.executable || captured.generation != lane.arena.generation) {
    std::lock_guard lock(device_->preparing());
    if (Status s = begin_capture(*lane.stream); !s.ok()) return s;
    const Status launched = launch_all(lane, nullptr);
    auto executable = end_capture(*lane.stream);
    if (!launched.ok()) return launched;
    if (!executable.ok()) return executable.status();
    captured.executable = std::move(executable.value());
    captured.generation = lane.arena.generation;
  }
  return launch_executable(*lane.stream, *captured.executable);
}

// Launched one by one, small kernels wait for the CPU: what counts is the whole as it is replayed.
Status CudaPlan::time_replay(Lane& lane, std::vector<Timing>* timings) {
  if (Status s = replay(lane); !s.ok()) return s;
  auto before = make_mark(*lane.stream);
  if (!before.ok()) return before.status();
  if (Status s = replay(lane); !s.ok()) return s;
  auto after = make_mark(*lane.stream);
  if (!after.ok()) return after.status();
  if (Status s = synchronize(*lane.stream); !s.ok()) return s;
  timings->push_back({"replay", microseconds_between(*before.value(), *after.value())});
  return {};
}

Status CudaPlan::check_faults(Lane& lane) {
  int32_t found[2];
  std::memcpy(found, static_cast<char*>(lane.arena.staging->data()) + staging_results_, sizeof found);
  if (found[0] == 0) return {};
  const auto fault = static_cast<Fault>(found[0]);
  return Status::error(fault == Fault::pixels ? Code::image : Code::argument,
                       describe(fault) + std::to_string(found[1]));
}

int64_t CudaPlan::count_of(Lane& lane, int value) const {
  int32_t count;
  std::memcpy(&count,
              static_cast<char*>(lane.arena.staging->data()) + staging_results_ + offsets_[value] - results_,
              sizeof count);
  return count;
}

bool CudaPlan::fits(Lane& lane) const {
  return std::all_of(outputs_.begin(), outputs_.end(), [&](int v) {
    const auto [step, output] = made_by_[v];
    return !graph_.values[v].desc.dynamic() || count_of(lane, v) <= kernels_[step]->capacity(output);
  });
}

Status CudaPlan::grow(const std::vector<std::pair<int, int64_t>>& wanted) {
  std::unique_lock alone(layout_);
  std::lock_guard lock(device_->preparing());
  for (const auto& [v, count] : wanted) {
    const auto [step, output] = made_by_[v];
    if (!kernels_[step]->grow(output, count))
      return Status::error(Code::out_of_memory, "Expected an output of at most " +
                                                    std::to_string(kernels_[step]->capacity(output)) +
                                                    " elements but it has " + std::to_string(count));
  }
  place_all();
  for (Captured& captured : captured_) {
    captured.warm = false;
    captured.generation = ~uint64_t{0};
  }
  return {};
}

Status CudaPlan::collect(Lane& lane, const std::vector<Input>& inputs, std::vector<Tensor>* outputs) {
  const char* staging = static_cast<char*>(lane.arena.staging->data()) + staging_results_;
  for (int v : outputs_) {
    const Value& value = graph_.values[v];
    if (value.storage && !value.storage->status.ok()) return value.storage->status;
    if (value.storage && made_here(v)) {
      outputs->push_back({value.desc, value.storage});
      continue;
    }
    Tensor tensor{value.desc, nullptr};
    size_t skip = 0;
    if (value.desc.dynamic()) {
      tensor.desc.shape = {count_of(lane, v)};
      skip = kHeader;
    }
    const size_t bytes = tensor.desc.bytes(graph_.target.block);
    tensor.storage = allocate_host(bytes);
    if (!tensor.storage) return Status::error(Code::out_of_memory, "Out of memory for a network's outputs");
    void* to = tensor.storage->data();
    const size_t at = offsets_[v] - results_ + skip;
    Status status;
    if (value.storage)
      status = device_->download(to, value.storage->data(), bytes);
    else if (value.input >= 0)
      std::memcpy(to, inputs[value.input].data, std::min(bytes, inputs[value.input].bytes));
    else if (at + bytes <= download_bytes_)
      std::memcpy(to, staging + at, bytes);
    else
      status = device_->download(to, address(lane, v) + skip, bytes);
    if (!status.ok()) return status;
    outputs->push_back(std::move(tensor));
  }
  return {};
}

Status CudaPlan::run(const std::vector<Input>& inputs, const std::atomic<bool>& stop,
                     std::vector<Tensor>* outputs, std::vector<Timing>* timings) {
  if (stop) return Status::error(Code::cancelled, "The work was cancelled");
  Lane& lane = CudaDevice::lane();
  std::lock_guard running(lane.mutex);
  for (;;) {
    std::shared_lock layout(layout_);
    bool direct = timings != nullptr;
    {
      std::lock_guard lock(device_->preparing());
      if (!prepared_)
        if (Status s = prepare(*lane.stream); !s.ok()) return s;
      if (Status s = lane.reserve(device_bytes_, staging_results_ + results_bytes_); !s.ok()) return s;
      const uint64_t now = versions();
      direct = direct || !captured_[lane.index].warm || captured_[lane.index].versions != now;
      if (direct) {
        if (timings) timings->clear();
        Status status = upload(lane, inputs);
        if (status.ok()) status = launch_all(lane, timings);
        const Status finished = synchronize(*lane.stream);
        if (status.ok()) status = finished;
        if (!status.ok()) return status;
        captured_[lane.index].warm = true;
        captured_[lane.index].versions = now;
      }
    }
    if (!direct) {
      Status status = upload(lane, inputs);
      if (status.ok()) status = replay(lane);
      const Status finished = synchronize(*lane.stream);
      if (status.ok()) status = finished;
      if (!status.ok()) return status;
    }
    if (timings)
      if (Status s = time_replay(lane, timings); !s.ok()) return s;
    if (Status s = check_faults(lane); !s.ok()) return s;
    if (fits(lane)) return collect(lane, inputs, outputs);
    std::vector<std::pair<int, int64_t>> wanted;
    for (int v : outputs_)
      if (graph_.values[v].desc.dynamic()) wanted.emplace_back(v, count_of(lane, v));
    layout.unlock();
    if (Status s = grow(wanted); !s.ok()) return s;
  }
}

}  // namespace nlrcnn::cuda
