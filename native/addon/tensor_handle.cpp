#include "addon/tensor_handle.h"

#include <cstring>

#include "addon/arguments.h"
#include "addon/devices.h"
#include "addon/environment.h"

namespace nlrcnn::addon {
namespace {

struct Seed {
  std::shared_ptr<Slot> slot;
  Recorded recorded;
};

Napi::Value construct(Napi::Env env, Seed seed) {
  return Environment::of(env).tensor_class.New({Napi::External<Seed>::New(env, &seed)});
}

Status allocate(Slot& slot) {
  auto storage = slot.device->allocate(slot.desc.bytes(slot.device->target().block));
  if (!storage.ok()) return storage.status();
  slot.storage = std::move(storage.value());
  return {};
}

const napi_type_tag kTag = {0x6e6c72636e6e7431, 0x74656e736f720001};

}  // namespace

Napi::Function TensorHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeTensor",
      {InstanceAccessor<&TensorHandle::dtype>("dtype"), InstanceAccessor<&TensorHandle::shape>("shape"),
       InstanceAccessor<&TensorHandle::device>("device"), InstanceAccessor<&TensorHandle::bytes>("bytes"),
       InstanceAccessor<&TensorHandle::disposed>("disposed"),
       InstanceMethod<&TensorHandle::dispose>("dispose")});
}

Napi::Value TensorHandle::make(Napi::Env env, std::shared_ptr<Slot> slot) {
  return construct(env, {std::move(slot), {}});
}
Napi::Value TensorHandle::make(Napi::Env env, Recorded recorded) {
  return construct(env, {nullptr, std::move(recorded)});
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw_status(info.Env(),
                 Status::error(Code::argument, "Expected tensors to be made by tensor() or an op"));
    return;
  }
  Value().TypeTag(&kTag);
  Seed* seed = info[0].As<Napi::External<Seed>>().Data();
  slot_ = std::move(seed->slot);
  recorded_ = std::move(seed->recorded);
  desc_ = slot_ ? slot_->desc : recorded_.graph->values[recorded_.value].desc;
  if (slot_ && slot_->storage) bytes_ = static_cast<int64_t>(slot_->storage->bytes());
  if (bytes_) Napi::MemoryManagement::AdjustExternalMemory(info.Env(), bytes_);
}

TensorHandle::~TensorHandle() {
  release(Env());
}

void TensorHandle::release(Napi::Env env) {
  slot_.reset();
  recorded_ = {};
  if (bytes_) Napi::MemoryManagement::AdjustExternalMemory(env, -bytes_);
  bytes_ = 0;
}

TensorHandle* TensorHandle::from(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw_status(value.Env(), Status::error(Code::argument, "Expected a tensor"));
    return nullptr;
  }
  TensorHandle* handle = Unwrap(value.As<Napi::Object>());
  if (handle->slot_ || handle->recorded_.graph) return handle;
  throw_status(value.Env(), Status::error(Code::disposed,
                                          "Expected a tensor in use but received one that was disposed of"));
  return nullptr;
}

Napi::Value TensorHandle::dtype(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), dtype_name(desc_.dtype));
}

Napi::Value TensorHandle::shape(const Napi::CallbackInfo& info) {
  auto shape = Napi::Array::New(info.Env(), desc_.shape.size());
  for (size_t i = 0; i < desc_.shape.size(); ++i)
    shape[static_cast<uint32_t>(i)] = static_cast<double>(desc_.shape[i]);
  return shape;
}

Napi::Value TensorHandle::device(const Napi::CallbackInfo& info) {
  if (!slot_) return info.Env().Null();
  return Napi::String::New(info.Env(), slot_->device->name());
}

Napi::Value TensorHandle::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(bytes_));
}

Napi::Value TensorHandle::disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !slot_ && !recorded_.graph);
}

void TensorHandle::dispose(const Napi::CallbackInfo& info) {
  release(info.Env());
}

Napi::Value tensor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto slot = std::make_shared<Slot>();
  const void* data = nullptr;
  if (!read_dtype(info[0], &slot->desc.dtype) || !read_shape(info[1], &slot->desc.shape) ||
      !read_device(env, info[3], &slot->device))
    return env.Undefined();
  const size_t bytes = slot->desc.bytes(1);
  if (!read_bytes(info[2], slot->desc.dtype, bytes, &data)) return env.Undefined();
  Status status = allocate(*slot);
  if (status.ok()) status = slot->device->upload(slot->storage->data(), data, bytes);
  if (!status.ok()) {
    throw_status(env, status);
    return env.Undefined();
  }
  return TensorHandle::make(env, std::move(slot));
}

// Runs a graph of one op once, its outputs in memory of their own.
Napi::Value op(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto& environment = Environment::of(env);
  Attrs attrs;
  if (!info[1].IsArray()) {
    throw_status(env, Status::error(Code::argument, "Expected an array of inputs"));
    return env.Undefined();
  }
  if (!read_attrs(info[2], &attrs)) return env.Undefined();
  Graph graph;
  std::vector<int> in;
  std::shared_ptr<Device> device;
  const auto inputs = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < inputs.Length(); ++i) {
    const Napi::Value input = inputs[i];
    if (input.IsNull() || input.IsUndefined()) {
      in.push_back(-1);
      continue;
    }
    TensorHandle* handle = TensorHandle::from(input);
    if (!handle) return env.Undefined();
    if (!handle->slot()) {
      throw_status(env,
                   Status::error(Code::argument, "Expected a tensor but received a value of a recording"));
      return env.Undefined();
    }
    if (device && device != handle->slot()->device) {
      throw_status(
          env, Status::error(Code::device, "Expected tensors on one device but received some on " +
                                               device->name() + " and on " + handle->slot()->device->name()));
      return env.Undefined();
    }
    device = handle->slot()->device;
    in.push_back(graph.external({handle->slot()->desc, handle->slot()->storage}));
  }
  if (!device) device = environment.cpu();
  if (!read_precision(info[3], *device, &graph.target)) return env.Undefined();
  auto out = graph.op(info[0].ToString(), std::move(in), std::move(attrs));
  if (!out.ok()) {
    throw_status(env, out.status());
    return env.Undefined();
  }
  std::vector<std::shared_ptr<Slot>> slots;
  for (int v : out.value()) {
    nlrcnn::Value& value = graph.values[v];
    auto slot = std::make_shared<Slot>(Slot{device, value.desc, nullptr, {}, {}});
    if (!value.desc.dynamic())
      value.storage = slot->storage = std::make_shared<Storage>(value.desc.bytes(graph.target.block));
    slots.push_back(std::move(slot));
  }
  auto handles = Napi::Array::New(env, slots.size());
  for (size_t i = 0; i < slots.size(); ++i)
    handles[static_cast<uint32_t>(i)] = TensorHandle::make(env, slots[i]);
  environment.enqueue(device, [slots = std::move(slots), graph = std::move(graph),
                               values = std::move(out.value()), device, &environment]() mutable {
    std::vector<Tensor> outputs;
    Status status;
    for (const auto& slot : slots)
      if (slot->storage && status.ok()) status = device->provide(*slot->storage);
    if (status.ok())
      status = device->run_once(std::move(graph), std::move(values), environment.stopping(), &outputs);
    for (size_t i = 0; i < slots.size(); ++i) {
      slots[i]->status = status;
      if (slots[i]->storage) slots[i]->storage->status = status;
      if (status.ok()) slots[i]->dynamic = outputs[i];
    }
  });
  return handles;
}

Napi::Value read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  TensorHandle* handle = TensorHandle::from(info[0]);
  if (!handle) return env.Undefined();
  if (!handle->slot()) {
    throw_status(env, Status::error(Code::argument, "Expected a tensor but received a value of a recording"));
    return env.Undefined();
  }
  struct Result {
    Tensor tensor;
    Status status;
  };
  auto& environment = Environment::of(env);
  auto result = std::make_shared<Result>();
  auto deferred = Napi::Promise::Deferred::New(env);
  auto work = [slot = handle->slot(), result, &environment]() mutable {
    result->status = slot->status;
    if (!result->status.ok()) return;
    if (!slot->storage || slot->desc.layout == Layout::plain) {
      // A copy: JavaScript may write to what it gets, and read twice.
      const TensorDesc& desc = slot->storage ? slot->desc : slot->dynamic.desc;
      const size_t bytes = desc.bytes(1);
      result->tensor = {desc, allocate_host(bytes)};
      if (!result->tensor.storage)
        result->status = Status::error(Code::out_of_memory, "Out of memory for reading a tensor");
      else if (bytes && !slot->storage)
        std::memcpy(result->tensor.storage->data(), slot->dynamic.storage->data(), bytes);
      else if (bytes)
        result->status = slot->device->download(result->tensor.storage->data(), slot->storage->data(), bytes);
      return;
    }
    Graph graph;
    graph.target = slot->device->target();
    const int plain = graph.readable(graph.external({slot->desc, slot->storage}));
    std::vector<Tensor> outputs;
    result->status = slot->device->run_once(std::move(graph), {plain}, environment.stopping(), &outputs);
    if (result->status.ok()) result->tensor = outputs[0];
  };
  environment.enqueue(env, handle->slot()->device, false, std::move(work), [result, deferred](Napi::Env env) {
    Napi::HandleScope scope(env);
    if (result->status.ok())
      deferred.Resolve(to_host_tensor(env, result->tensor));
    else
      deferred.Reject(to_error(env, result->status).Value());
  });
  return deferred.Promise();
}

}  // namespace nlrcnn::addon
