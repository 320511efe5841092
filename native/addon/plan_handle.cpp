#include "addon/plan_handle.h"

#include <cstring>

#include "addon/arguments.h"
#include "addon/devices.h"
#include "addon/environment.h"
#include "addon/tensor_handle.h"

namespace nlrcnn::addon {
namespace {

struct Run {
  std::vector<std::shared_ptr<Storage>> storage;
  std::vector<Plan::Input> inputs;
  std::vector<Tensor> outputs;
  std::vector<Plan::Timing> timings;
  Status status;
};

js::Value outputs_to_js(js::Env env, const Run& run) {
  const js::Value list = js::array(env, run.outputs.size());
  for (size_t i = 0; i < run.outputs.size(); ++i)
    list.set(static_cast<uint32_t>(i), to_host_tensor(env, run.outputs[i]));
  return list;
}

js::Value timings_to_js(js::Env env, const Run& run) {
  const js::Value list = js::array(env, run.timings.size());
  for (size_t i = 0; i < run.timings.size(); ++i) {
    const js::Value entry = js::array(env, 2);
    entry.set(0u, js::to_js(env, run.timings[i].op));
    entry.set(1u, js::to_js(env, run.timings[i].microseconds));
    list.set(static_cast<uint32_t>(i), entry);
  }
  return list;
}

}  // namespace

js::Value RecorderHandle::define(js::Env env) {
  return js::define_class<RecorderHandle>(env,
                                          {js::method<RecorderHandle, &RecorderHandle::input>("input"),
                                           js::method<RecorderHandle, &RecorderHandle::op>("op"),
                                           js::method<RecorderHandle, &RecorderHandle::finish>("finish")});
}

std::unique_ptr<RecorderHandle> RecorderHandle::construct(const js::Call& call) {
  auto device = read_device(call[0]);
  const Target target = read_precision(call[1], *device);
  return std::make_unique<RecorderHandle>(std::move(device), target);
}

RecorderHandle::RecorderHandle(std::shared_ptr<Device> device, Target target)
    : device_(std::move(device)), target_(target) {
  begin();
}

void RecorderHandle::begin() {
  graph_ = std::make_shared<Graph>();
  graph_->target = target_;
}

js::Value RecorderHandle::input(const js::Call& call) {
  TensorDesc desc;
  desc.dtype = read_dtype(call[0]);
  desc.shape = read_shape(call[1]);
  const int value = graph_->input(desc, call[2].truthy());
  return TensorHandle::make(call.env(), Recorded{graph_, value});
}

int RecorderHandle::value_of(const js::Value& value) {
  const TensorHandle& handle = TensorHandle::from(value);
  if (handle.recorded().graph && handle.recorded().graph != graph_)
    js::fail(Code::argument, "Expected a value of this recording but received one of another");
  if (!handle.slot()) return handle.recorded().value;
  const Slot& slot = *handle.slot();
  if (slot.device != device_)
    js::fail(Code::device,
             "Expected tensors on " + device_->name() + " but received one on " + slot.device->name());
  if (!slot.storage)
    js::fail(Code::unsupported,
             "Expected tensors whose shape is known but received " + to_string(slot.desc.shape));
  return graph_->external({slot.desc, slot.storage});
}

std::vector<int> RecorderHandle::values_of(const std::vector<js::Value>& handles) {
  std::vector<int> out;
  for (const js::Value& handle : handles) out.push_back(handle.is_missing() ? -1 : value_of(handle));
  return out;
}

// All that may run JavaScript, which may finish this recording, comes before what looks into the graph.
js::Value RecorderHandle::op(const js::Call& call) {
  const js::Env env = call.env();
  const auto name = call[0].text();
  if (!name) js::fail(Code::argument, "Expected the name of an op but received " + call[0].described());
  Attrs attrs = read_attrs(call[2]);
  const auto inputs = read_list(call[1], "inputs", kMostInputs);
  const auto out = js::check(graph_->op(*name, values_of(inputs), std::move(attrs)));
  const js::Value handles = js::array(env, out.size());
  for (size_t i = 0; i < out.size(); ++i)
    handles.set(static_cast<uint32_t>(i), TensorHandle::make(env, Recorded{graph_, out[i]}));
  return handles;
}

js::Value RecorderHandle::finish(const js::Call& call) {
  const js::Env env = call.env();
  std::vector<int> outputs;
  for (const js::Value& handle : read_list(call[0], "outputs", kMostInputs))
    outputs.push_back(graph_->readable(value_of(handle)));
  const auto graph = graph_;
  begin();  // first: nothing may find the graph that is moved from
  auto plan = device_->make_plan(std::move(*graph), std::move(outputs));
  return js::make(env, Environment::of(env).plan_class,
                  std::make_unique<PlanHandle>(device_, std::move(plan)));
}

js::Value PlanHandle::define(js::Env env) {
  return js::define_class<PlanHandle>(env, {js::getter<PlanHandle, &PlanHandle::arena_bytes>("arenaBytes"),
                                            js::getter<PlanHandle, &PlanHandle::op_count>("opCount"),
                                            js::method<PlanHandle, &PlanHandle::run>("run"),
                                            js::method<PlanHandle, &PlanHandle::profile>("profile"),
                                            js::method<PlanHandle, &PlanHandle::dispose>("dispose")});
}

std::unique_ptr<PlanHandle> PlanHandle::construct(const js::Call&) {
  js::fail(Code::argument, "Expected plans to be made by a recorder");
}

PlanHandle::PlanHandle(std::shared_ptr<Device> device, std::shared_ptr<Plan> plan)
    : device_(std::move(device)), plan_(std::move(plan)) {
  inputs_.resize(plan_->graph().input_count);
  for (const nlrcnn::Value& value : plan_->graph().values)
    if (value.input >= 0) inputs_[value.input] = value;
}

// Kernels and arena belong to the device's thread.
void PlanHandle::release() noexcept {
  if (!plan_) return;
  device_->enqueue([plan = std::move(plan_)] { plan->dispose(); });
  plan_ = nullptr;
}

js::Value PlanHandle::dispose(const js::Call& call) {
  release();
  return js::undefined(call.env());
}

js::Value PlanHandle::arena_bytes(const js::Call& call) {
  return js::to_js(call.env(), plan_ ? static_cast<double>(plan_->arena_bytes()) : 0.0);
}

js::Value PlanHandle::op_count(const js::Call& call) {
  return js::to_js(call.env(), plan_ ? static_cast<double>(plan_->op_count()) : 0.0);
}

js::Value PlanHandle::start(const js::Call& call, bool profile) {
  const js::Env env = call.env();
  const auto arrays = read_list(call[0], "inputs", kMostInputs);
  if (!plan_) js::fail(Code::disposed, "Expected a plan in use but received one that was disposed of");
  if (arrays.size() != inputs_.size())
    js::fail(Code::argument, "Expected " + std::to_string(inputs_.size()) + " inputs but received " +
                                 std::to_string(arrays.size()));
  auto run = std::make_shared<Run>();
  // Copied, as JavaScript may change or detach the arrays while the device reads.
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const TensorDesc& desc = inputs_[i].desc;
    const js::Memory memory = inputs_[i].partial ? read_bytes_up_to(arrays[i], desc.dtype, desc.bytes(1))
                                                 : read_bytes(arrays[i], desc.dtype, desc.bytes(1));
    auto storage = allocate_host(memory.bytes);
    if (!storage) js::fail(Code::out_of_memory, "Out of memory for a network's inputs");
    if (memory.bytes) std::memcpy(storage->data(), memory.data, memory.bytes);
    run->inputs.push_back({storage->data(), memory.bytes});
    run->storage.push_back(std::move(storage));
  }
  auto& environment = Environment::of(env);
  const js::Deferred deferred(env);
  environment.enqueue(
      env, device_, true,
      [plan = plan_, run, profile, &environment] {
        run->status = caught([&] {
          return plan->run(run->inputs, environment.stopping(), &run->outputs,
                           profile ? &run->timings : nullptr);
        });
        run->storage.clear();
      },
      [run, deferred, profile](js::Env env) {
        deferred.settle(env, run->status,
                        [&] { return profile ? timings_to_js(env, *run) : outputs_to_js(env, *run); });
      });
  return deferred.promise(env);
}

}  // namespace nlrcnn::addon
