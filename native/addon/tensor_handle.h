#pragma once
#include <napi.h>

#include "core/device.h"

namespace nlrcnn::addon {

// What a handle of an eager tensor stands for. `storage` is null where only the run of the op tells the
// shape: the device thread then fills `dynamic`.
struct Slot {
  std::shared_ptr<Device> device;
  TensorDesc desc;
  std::shared_ptr<Storage> storage;
  Tensor dynamic;
  Status status;
};

// A value of a recording.
struct Recorded {
  std::shared_ptr<Graph> graph;
  int value = -1;
};

// NativeTensor of binding.d.ts.
class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Value make(Napi::Env env, std::shared_ptr<Slot> slot);
  static Napi::Value make(Napi::Env env, Recorded recorded);
  // Null, having thrown, for what is no handle in use.
  static TensorHandle* from(const Napi::Value& value);

  explicit TensorHandle(const Napi::CallbackInfo& info);
  ~TensorHandle() override;

  const std::shared_ptr<Slot>& slot() const { return slot_; }
  const Recorded& recorded() const { return recorded_; }

 private:
  Napi::Value dtype(const Napi::CallbackInfo& info);
  Napi::Value shape(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  void release(Napi::Env env);

  TensorDesc desc_;
  std::shared_ptr<Slot> slot_;
  Recorded recorded_;
  int64_t bytes_ = 0;
};

// Functions of the binding on eager tensors.
Napi::Value tensor(const Napi::CallbackInfo& info);
Napi::Value op(const Napi::CallbackInfo& info);
Napi::Value read(const Napi::CallbackInfo& info);

}  // namespace nlrcnn::addon
