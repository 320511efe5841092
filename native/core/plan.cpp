#include "core/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

namespace nlrcnn {
namespace {

constexpr size_t kAlign = 64;
size_t align_up(size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

// Values that share memory because one takes over another's, and the steps between which that memory is
// needed.
struct Lifetime {
  size_t bytes = 0;
  int first = 1 << 30, last = -1;
  size_t offset = 0;
};

}  // namespace

Plan::Plan(std::shared_ptr<CpuDevice> device, Graph graph, std::vector<int> outputs, int block)
    : device_(std::move(device)), graph_(std::move(graph)), outputs_(std::move(outputs)), block_(block) {}

void Plan::place() {
  const auto& values = graph_.values;
  const int steps = static_cast<int>(graph_.steps.size());
  std::vector<int> last_use(values.size(), -1);
  for (int s = 0; s < steps; ++s)
    for (int v : graph_.steps[s].in)
      if (v >= 0) last_use[v] = s;
  for (int v : outputs_) last_use[v] = steps;

  std::vector<int> owner(values.size());
  std::iota(owner.begin(), owner.end(), 0);
  auto in_arena = [&](int v) {
    return !values[v].storage && values[v].input < 0 && !values[v].desc.dynamic();
  };
  std::vector<Lifetime> lives(values.size());
  for (int s = 0; s < steps; ++s) {
    const Step& step = graph_.steps[s];
    const int reused = in_place_input(step.call);
    for (int v : step.out) {
      if (!in_arena(v)) continue;
      const int from = reused >= 0 ? step.in[reused] : -1;
      const bool takes_over = from >= 0 && in_arena(from) && last_use[from] == s &&
                              std::count(step.in.begin(), step.in.end(), from) == 1 &&
                              values[from].desc == values[v].desc;
      owner[v] = takes_over ? owner[from] : v;
      Lifetime& life = lives[owner[v]];
      life.bytes = std::max(life.bytes, align_up(values[v].desc.bytes(block_)));
      life.first = std::min(life.first, s);
      life.last = std::max({life.last, s, last_use[v]});
    }
  }

  // Largest first, each at the lowest offset that is free during its whole life.
  std::vector<int> order;
  for (size_t v = 0; v < values.size(); ++v)
    if (lives[v].bytes) order.push_back(static_cast<int>(v));
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return lives[a].bytes > lives[b].bytes; });
  std::vector<const Lifetime*> placed;
  size_t end = 0;
  for (int v : order) {
    Lifetime& life = lives[v];
    std::vector<std::pair<size_t, size_t>> taken;
    for (const Lifetime* other : placed)
      if (other->first <= life.last && life.first <= other->last)
        taken.emplace_back(other->offset, other->offset + other->bytes);
    std::sort(taken.begin(), taken.end());
    size_t offset = 0;
    for (const auto& [from, to] : taken) {
      if (offset + life.bytes <= from) break;
      offset = std::max(offset, to);
    }
    life.offset = offset;
    placed.push_back(&life);
    end = std::max(end, offset + life.bytes);
  }
  offsets_.resize(values.size());
  for (size_t v = 0; v < values.size(); ++v) offsets_[v] = lives[owner[v]].offset;
  workspace_offset_ = end;
}

Status Plan::prepare() {
  place();
  size_t workspace = 0;
  for (const Step& step : graph_.steps) {
    auto kernel = find_cpu_kernel(step.call.name)(step.call, block_);
    if (!kernel.ok()) return kernel.status();
    workspace = std::max(workspace, kernel.value()->workspace_bytes());
    kernels_.push_back(std::move(kernel.value()));
  }
  arena_bytes_ = workspace_offset_ + align_up(workspace);
  device_->retain_arena();
  prepared_ = true;
  return {};
}

void Plan::dispose() {
  if (prepared_ && !disposed_) device_->release_arena();
  disposed_ = true;
  kernels_.clear();
  graph_ = {};
}

Status Plan::run_step(size_t index, char* arena, const std::vector<const void*>& inputs,
                      std::vector<Tensor>& dynamic) {
  const Step& step = graph_.steps[index];
  RunContext context;
  for (int v : step.in) {
    if (v < 0) {
      context.in.push_back({});
      context.in_storage.push_back(nullptr);
      continue;
    }
    const Value& value = graph_.values[v];
    if (value.storage && !value.storage->status.ok()) return value.storage->status;
    void* data = value.storage      ? value.storage->data()
                 : value.input >= 0 ? const_cast<void*>(inputs[value.input])
                                    : arena + offsets_[v];
    context.in.push_back({&value.desc, data});
    context.in_storage.push_back(value.storage.get());
  }
  for (int v : step.out) {
    const Value& value = graph_.values[v];
    void* data = value.desc.dynamic() ? nullptr : value.storage ? value.storage->data() : arena + offsets_[v];
    context.out.push_back({&value.desc, data});
  }
  context.dynamic_out.resize(step.out.size());
  context.workspace = arena + workspace_offset_;
  Status status = kernels_[index]->run(context);
  for (size_t i = 0; i < step.out.size(); ++i)
    if (context.dynamic_out[i].storage) dynamic[step.out[i]] = std::move(context.dynamic_out[i]);
  return status;
}

Status Plan::run(const std::vector<const void*>& inputs, const std::atomic<bool>& stop,
                 std::vector<Tensor>* outputs, std::vector<Timing>* timings) {
  if (disposed_)
    return Status::error(Code::disposed, "Expected a plan in use but received one that was disposed of");
  if (!prepared_) {
    if (Status status = prepare(); !status.ok()) {
      kernels_.clear();
      return status;
    }
  }
  char* arena = static_cast<char*>(device_->arena(std::max(arena_bytes_, kAlign)));
  if (!arena)
    return Status::error(Code::out_of_memory,
                         "Out of memory: " + std::to_string(arena_bytes_) + " bytes were asked for");
  std::vector<Tensor> dynamic(graph_.values.size());
  for (size_t s = 0; s < graph_.steps.size(); ++s) {
    if (stop) return Status::error(Code::cancelled, "The work was cancelled");
    const auto start = std::chrono::steady_clock::now();
    if (Status status = run_step(s, arena, inputs, dynamic); !status.ok()) return status;
    if (timings)
      timings->push_back(
          {graph_.steps[s].call.name,
           std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count()});
  }
  for (int v : outputs_) {
    const Value& value = graph_.values[v];
    if (value.desc.dynamic()) {
      outputs->push_back(dynamic[v]);
      continue;
    }
    if (value.storage) {
      outputs->push_back({value.desc, value.storage});
      continue;
    }
    auto storage = allocate_host(value.desc.bytes(block_));
    if (!storage) return Status::error(Code::out_of_memory, "Out of memory for a network's outputs");
    std::memcpy(storage->data(), value.input >= 0 ? inputs[value.input] : arena + offsets_[v],
                value.desc.bytes(block_));
    outputs->push_back({value.desc, storage});
  }
  return {};
}

}  // namespace nlrcnn
