#include "addon/tensor_handle.h"

#include <cstring>

#include "addon/arguments.h"
#include "addon/devices.h"
#include "addon/environment.h"

namespace nlrcnn::addon {
namespace {

js::Value instance(js::Env env, std::shared_ptr<Slot> slot, Recorded recorded) {
  return js::make(env, Environment::of(env).tensor_class,
                  std::make_unique<TensorHandle>(env, std::move(slot), std::move(recorded)));
}

}  // namespace

js::Value TensorHandle::define(js::Env env) {
  return js::define_class<TensorHandle>(env, {js::getter<TensorHandle, &TensorHandle::dtype>("dtype"),
                                              js::getter<TensorHandle, &TensorHandle::shape>("shape"),
                                              js::getter<TensorHandle, &TensorHandle::device>("device"),
                                              js::getter<TensorHandle, &TensorHandle::bytes>("bytes"),
                                              js::getter<TensorHandle, &TensorHandle::disposed>("disposed"),
                                              js::method<TensorHandle, &TensorHandle::dispose>("dispose")});
}

std::unique_ptr<TensorHandle> TensorHandle::construct(const js::Call&) {
  js::fail(Code::argument, "Expected tensors to be made by tensor() or an op");
}

js::Value TensorHandle::make(js::Env env, std::shared_ptr<Slot> slot) {
  return instance(env, std::move(slot), {});
}
js::Value TensorHandle::make(js::Env env, Recorded recorded) {
  return instance(env, nullptr, std::move(recorded));
}

TensorHandle::TensorHandle(js::Env env, std::shared_ptr<Slot> slot, Recorded recorded)
    : env_(env), slot_(std::move(slot)), recorded_(std::move(recorded)) {
  desc_ = slot_ ? slot_->desc : recorded_.graph->values[recorded_.value].desc;
  if (slot_ && slot_->storage) bytes_ = static_cast<int64_t>(slot_->storage->bytes());
  js::adjust_external_memory(env_, bytes_);
}

void TensorHandle::release() noexcept {
  slot_.reset();
  recorded_ = {};
  js::adjust_external_memory(env_, -bytes_);
  bytes_ = 0;
}

TensorHandle& TensorHandle::from(const js::Value& value) {
  auto* handle = js::of<TensorHandle>(value);
  if (!handle) js::fail(Code::argument, "Expected a tensor but received " + value.described());
  if (!handle->slot_ && !handle->recorded_.graph)
    js::fail(Code::disposed, "Expected a tensor in use but received one that was disposed of");
  return *handle;
}

std::shared_ptr<Slot> TensorHandle::slot_from(const js::Value& value) {
  auto slot = from(value).slot_;
  if (!slot) js::fail(Code::argument, "Expected a tensor but received a value of a recording");
  return slot;
}

js::Value TensorHandle::dtype(const js::Call& call) {
  return js::to_js(call.env(), dtype_name(desc_.dtype));
}

js::Value TensorHandle::shape(const js::Call& call) {
  return to_js(call.env(), desc_.shape);
}

js::Value TensorHandle::device(const js::Call& call) {
  return slot_ ? js::to_js(call.env(), slot_->device->name()) : js::null(call.env());
}

js::Value TensorHandle::bytes(const js::Call& call) {
  return js::to_js(call.env(), static_cast<double>(bytes_));
}

js::Value TensorHandle::disposed(const js::Call& call) {
  return js::to_js(call.env(), !slot_ && !recorded_.graph);
}

js::Value TensorHandle::dispose(const js::Call& call) {
  release();
  return js::undefined(call.env());
}

js::Value tensor(const js::Call& call) {
  auto slot = std::make_shared<Slot>();
  slot->desc.dtype = read_dtype(call[0]);
  slot->desc.shape = read_shape(call[1]);
  slot->device = read_device(call[3]);
  const js::Memory memory = read_bytes(call[2], slot->desc.dtype, slot->desc.bytes(1));
  slot->storage = js::check(slot->device->allocate(slot->desc.bytes(slot->device->target().block)));
  js::check(slot->device->upload(slot->storage->data(), memory.data, memory.bytes));
  return TensorHandle::make(call.env(), std::move(slot));
}

// Runs a graph of one op once, its outputs in memory of their own.
js::Value op(const js::Call& call) {
  const js::Env env = call.env();
  auto& environment = Environment::of(env);
  const auto name = call[0].text();
  if (!name) js::fail(Code::argument, "Expected the name of an op but received " + call[0].described());
  Attrs attrs = read_attrs(call[2]);
  Graph graph;
  std::vector<int> in;
  std::shared_ptr<Device> device;
  for (const js::Value& input : read_list(call[1], "inputs", kMostInputs)) {
    if (input.is_missing()) {
      in.push_back(-1);
      continue;
    }
    const auto slot = TensorHandle::slot_from(input);
    if (device && device != slot->device)
      js::fail(Code::device, "Expected tensors on one device but received some on " + device->name() +
                                 " and on " + slot->device->name());
    device = slot->device;
    in.push_back(graph.external({slot->desc, slot->storage}));
  }
  if (!device) device = environment.cpu();
  graph.target = read_precision(call[3], *device);
  auto values = js::check(graph.op(*name, std::move(in), std::move(attrs)));
  std::vector<std::shared_ptr<Slot>> slots;
  for (int v : values) {
    nlrcnn::Value& value = graph.values[v];
    auto slot = std::make_shared<Slot>(Slot{device, value.desc, nullptr, {}, {}});
    if (!value.desc.dynamic())
      value.storage = slot->storage = std::make_shared<Storage>(value.desc.bytes(graph.target.block));
    slots.push_back(std::move(slot));
  }
  const js::Value handles = js::array(env, slots.size());
  for (size_t i = 0; i < slots.size(); ++i)
    handles.set(static_cast<uint32_t>(i), TensorHandle::make(env, slots[i]));
  environment.enqueue(device, [slots = std::move(slots), graph = std::move(graph), values = std::move(values),
                               device, &environment]() mutable {
    std::vector<Tensor> outputs;
    const Status status = caught([&]() -> Status {
      for (const auto& slot : slots)
        if (slot->storage)
          if (Status s = device->provide(*slot->storage); !s.ok()) return s;
      return device->run_once(std::move(graph), std::move(values), environment.stopping(), &outputs);
    });
    for (size_t i = 0; i < slots.size(); ++i) {
      slots[i]->status = status;
      if (slots[i]->storage) slots[i]->storage->status = status;
      if (status.ok()) slots[i]->dynamic = outputs[i];
    }
  });
  return handles;
}

namespace {

// The values of a tensor in host memory of their own, as JavaScript may write to what it gets, and read
// twice.
Status read_slot(Slot& slot, const std::atomic<bool>& stop, Tensor* out) {
  if (!slot.status.ok()) return slot.status;
  if (slot.storage && slot.desc.layout != Layout::plain) {
    Graph graph;
    graph.target = slot.device->target();
    const int plain = graph.readable(graph.external({slot.desc, slot.storage}));
    std::vector<Tensor> outputs;
    Status status = slot.device->run_once(std::move(graph), {plain}, stop, &outputs);
    if (status.ok()) *out = outputs[0];
    return status;
  }
  const TensorDesc& desc = slot.storage ? slot.desc : slot.dynamic.desc;
  const size_t bytes = desc.bytes(1);
  *out = {desc, allocate_host(bytes)};
  if (!out->storage) return Status::error(Code::out_of_memory, "Out of memory for reading a tensor");
  if (bytes && slot.storage) return slot.device->download(out->storage->data(), slot.storage->data(), bytes);
  if (bytes) std::memcpy(out->storage->data(), slot.dynamic.storage->data(), bytes);
  return {};
}

}  // namespace

js::Value read(const js::Call& call) {
  const js::Env env = call.env();
  struct Result {
    Tensor tensor;
    Status status;
  };
  const auto slot = TensorHandle::slot_from(call[0]);
  auto& environment = Environment::of(env);
  auto result = std::make_shared<Result>();
  const js::Deferred deferred(env);
  environment.enqueue(
      env, slot->device, false,
      [slot, result, &environment] {
        result->status = caught([&] { return read_slot(*slot, environment.stopping(), &result->tensor); });
      },
      [result, deferred](js::Env env) {
        deferred.settle(env, result->status, [&] { return to_host_tensor(env, result->tensor); });
      });
  return deferred.promise(env);
}

}  // namespace nlrcnn::addon
