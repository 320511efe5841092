#include "cpu/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

constexpr size_t kAlign = 64;
size_t align_up(size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

Status CpuPlan::prepare() {
  placement_ = place(graph_, outputs_, kAlign);
  size_t workspace = 0;
  for (const Step& step : graph_.steps) {
    auto kernel =
        cache_ ? cache_->get(step.call, graph_.target.block) : make_kernel(step.call, graph_.target.block);
    if (!kernel.ok()) return kernel.status();
    workspace = std::max(workspace, kernel.value()->workspace_bytes());
    kernels_.push_back(std::move(kernel.value()));
  }
  arena_bytes_ = placement_.bytes + align_up(workspace);
  if (!cache_) device_->retain_arena();
  prepared_ = true;
  return {};
}

void CpuPlan::dispose() {
  if (prepared_ && !disposed_ && !cache_) device_->release_arena();
  disposed_ = true;
  kernels_.clear();
  graph_ = {};
}

Status CpuPlan::run_step(size_t index, char* arena, const std::vector<Input>& inputs,
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
                 : value.input >= 0 ? const_cast<void*>(inputs[value.input].data)
                                    : arena + placement_.offsets[v];
    context.in.push_back({&value.desc, data});
    if (value.input >= 0) context.in.back().bytes = inputs[value.input].bytes;
    context.in_storage.push_back(value.storage.get());
  }
  for (int v : step.out) {
    const Value& value = graph_.values[v];
    void* data = value.desc.dynamic() ? nullptr
                 : value.storage      ? value.storage->data()
                                      : arena + placement_.offsets[v];
    context.out.push_back({&value.desc, data});
  }
  context.dynamic_out.resize(step.out.size());
  context.workspace = arena + placement_.bytes;
  Status status;
  try {
    status = kernels_[index]->run(context);
  } catch (const std::exception& error) {  // of a container that found no memory
    status =
        Status::error(Code::out_of_memory, "Out of memory in " + step.call.name + " (" + error.what() + ")");
  }
  for (size_t i = 0; i < step.out.size(); ++i)
    if (context.dynamic_out[i].storage) dynamic[step.out[i]] = std::move(context.dynamic_out[i]);
  return status;
}

bool CpuPlan::made_here(int value) const {
  return std::any_of(graph_.steps.begin(), graph_.steps.end(), [value](const Step& step) {
    return std::count(step.out.begin(), step.out.end(), value) > 0;
  });
}

Status CpuPlan::run(const std::vector<Input>& inputs, const std::atomic<bool>& stop,
                    std::vector<Tensor>* outputs, std::vector<Timing>* timings) {
  if (disposed_)
    return Status::error(Code::disposed, "Expected a plan in use but received one that was disposed of");
  if (!prepared_) {
    if (Status status = prepare(); !status.ok()) {
      kernels_.clear();
      return status;
    }
  }
  char* arena = static_cast<char*>(device_->arena(std::max<size_t>(arena_bytes_, kAlign)));
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
    if (value.storage && !value.storage->status.ok()) return value.storage->status;
    if (value.storage && made_here(v)) {
      outputs->push_back({value.desc, value.storage});
      continue;
    }
    auto storage = allocate_host(value.desc.bytes(graph_.target.block));
    if (!storage) return Status::error(Code::out_of_memory, "Out of memory for a network's outputs");
    const size_t bytes = value.desc.bytes(graph_.target.block);
    if (value.storage)  // a tensor from outside, which stays as it is whatever becomes of the result
      std::memcpy(storage->data(), value.storage->data(), bytes);
    else if (value.input >= 0)
      std::memcpy(storage->data(), inputs[value.input].data, std::min(bytes, inputs[value.input].bytes));
    else
      std::memcpy(storage->data(), arena + placement_.offsets[v], bytes);
    outputs->push_back({value.desc, storage});
  }
  return {};
}

}  // namespace nlrcnn::cpu
