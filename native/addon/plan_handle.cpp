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

Napi::Value to_js(Napi::Env env, const Run& run, bool profile) {
  auto list = Napi::Array::New(env);
  uint32_t i = 0;
  if (!profile)
    for (const Tensor& tensor : run.outputs) list[i++] = to_host_tensor(env, tensor);
  else
    for (const auto& [op, microseconds] : run.timings) {
      auto entry = Napi::Array::New(env, 2);
      entry[0u] = op;
      entry[1u] = microseconds;
      list[i++] = entry;
    }
  return list;
}

}  // namespace

Napi::Function RecorderHandle::define(Napi::Env env) {
  return DefineClass(
      env, "Recorder",
      {InstanceMethod<&RecorderHandle::input>("input"), InstanceMethod<&RecorderHandle::op>("op"),
       InstanceMethod<&RecorderHandle::finish>("finish")});
}

RecorderHandle::RecorderHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (read_device(info.Env(), info[0], &device_) && read_precision(info[1], *device_, &target_)) begin();
}

void RecorderHandle::begin() {
  graph_ = std::make_shared<Graph>();
  graph_->target = target_;
}

Napi::Value RecorderHandle::input(const Napi::CallbackInfo& info) {
  TensorDesc desc;
  if (!read_dtype(info[0], &desc.dtype) || !read_shape(info[1], &desc.shape)) return info.Env().Undefined();
  const int value = graph_->input(desc, info[2].ToBoolean());
  return TensorHandle::make(info.Env(), Recorded{graph_, value});
}

bool RecorderHandle::value_of(const Napi::Value& value, int* out) {
  TensorHandle* handle = TensorHandle::from(value);
  if (!handle) return false;
  if (handle->recorded().graph && handle->recorded().graph != graph_) {
    throw_status(
        value.Env(),
        Status::error(Code::argument, "Expected a value of this recording but received one of another"));
    return false;
  }
  if (handle->slot() && handle->slot()->device != device_) {
    throw_status(value.Env(),
                 Status::error(Code::device, "Expected tensors on " + device_->name() +
                                                 " but received one on " + handle->slot()->device->name()));
    return false;
  }
  *out = handle->slot() ? graph_->external({handle->slot()->desc, handle->slot()->storage})
                        : handle->recorded().value;
  return true;
}

Napi::Value RecorderHandle::op(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attrs attrs;
  if (!info[1].IsArray()) {
    throw_status(env, Status::error(Code::argument, "Expected an array of inputs"));
    return env.Undefined();
  }
  if (!read_attrs(info[2], &attrs)) return env.Undefined();
  std::vector<int> in;
  const auto inputs = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < inputs.Length(); ++i) {
    const Napi::Value input = inputs[i];
    in.push_back(-1);
    if (!input.IsNull() && !input.IsUndefined() && !value_of(input, &in.back())) return env.Undefined();
  }
  auto out = graph_->op(info[0].ToString(), std::move(in), std::move(attrs));
  if (!out.ok()) {
    throw_status(env, out.status());
    return env.Undefined();
  }
  auto handles = Napi::Array::New(env, out.value().size());
  for (size_t i = 0; i < out.value().size(); ++i)
    handles[static_cast<uint32_t>(i)] = TensorHandle::make(env, Recorded{graph_, out.value()[i]});
  return handles;
}

Napi::Value RecorderHandle::finish(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<int> outputs;
  if (!info[0].IsArray()) {
    throw_status(env, Status::error(Code::argument, "Expected an array of outputs"));
    return env.Undefined();
  }
  const auto list = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    int value;
    if (!value_of(list[i], &value)) return env.Undefined();
    outputs.push_back(graph_->readable(value));
  }
  Finished finished{device_, device_->make_plan(std::move(*graph_), std::move(outputs))};
  begin();
  return Environment::of(env).plan_class.New({Napi::External<Finished>::New(env, &finished)});
}

Napi::Function PlanHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativePlan",
      {InstanceAccessor<&PlanHandle::arena_bytes>("arenaBytes"),
       InstanceAccessor<&PlanHandle::op_count>("opCount"), InstanceMethod<&PlanHandle::run>("run"),
       InstanceMethod<&PlanHandle::profile>("profile"), InstanceMethod<&PlanHandle::dispose>("dispose")});
}

PlanHandle::PlanHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw_status(info.Env(), Status::error(Code::argument, "Expected plans to be made by a recorder"));
    return;
  }
  Finished* finished = info[0].As<Napi::External<Finished>>().Data();
  device_ = std::move(finished->device);
  plan_ = std::move(finished->plan);
  inputs_.resize(plan_->graph().input_count);
  for (const nlrcnn::Value& value : plan_->graph().values)
    if (value.input >= 0) inputs_[value.input] = value;
}

PlanHandle::~PlanHandle() {
  release();
}

// Kernels and arena belong to the device's thread.
void PlanHandle::release() {
  if (!plan_) return;
  device_->enqueue([plan = std::move(plan_)] { plan->dispose(); });
  plan_ = nullptr;
}

void PlanHandle::dispose(const Napi::CallbackInfo&) {
  release();
}

Napi::Value PlanHandle::arena_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), plan_ ? static_cast<double>(plan_->arena_bytes()) : 0);
}

Napi::Value PlanHandle::op_count(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), plan_ ? static_cast<double>(plan_->op_count()) : 0);
}

Napi::Value PlanHandle::start(const Napi::CallbackInfo& info, bool profile) {
  const Napi::Env env = info.Env();
  if (!plan_) {
    throw_status(
        env, Status::error(Code::disposed, "Expected a plan in use but received one that was disposed of"));
    return env.Undefined();
  }
  if (!info[0].IsArray() || info[0].As<Napi::Array>().Length() != inputs_.size()) {
    throw_status(env,
                 Status::error(Code::argument, "Expected " + std::to_string(inputs_.size()) + " inputs"));
    return env.Undefined();
  }
  auto run = std::make_shared<Run>();
  // Copied, as JavaScript may change or detach the arrays while the device reads.
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const TensorDesc& desc = inputs_[i].desc;
    size_t bytes = desc.bytes(1);
    const void* data = nullptr;
    const Napi::Value input = info[0].As<Napi::Array>()[static_cast<uint32_t>(i)];
    if (!(inputs_[i].partial ? read_bytes_up_to(input, desc.dtype, bytes, &data, &bytes)
                             : read_bytes(input, desc.dtype, bytes, &data)))
      return env.Undefined();
    run->storage.push_back(allocate_host(bytes));
    if (!run->storage.back()) {
      throw_status(env, Status::error(Code::out_of_memory, "Out of memory for a network's inputs"));
      return env.Undefined();
    }
    if (bytes) std::memcpy(run->storage.back()->data(), data, bytes);
    run->inputs.push_back({run->storage.back()->data(), bytes});
  }
  auto& environment = Environment::of(env);
  auto deferred = Napi::Promise::Deferred::New(env);
  auto work = [plan = plan_, run, profile, &environment] {
    run->status =
        plan->run(run->inputs, environment.stopping(), &run->outputs, profile ? &run->timings : nullptr);
    run->storage.clear();
  };
  environment.enqueue(env, device_, true, std::move(work), [run, deferred, profile](Napi::Env env) {
    Napi::HandleScope scope(env);
    if (run->status.ok())
      deferred.Resolve(to_js(env, *run, profile));
    else
      deferred.Reject(to_error(env, run->status).Value());
  });
  return deferred.Promise();
}

}  // namespace nlrcnn::addon
