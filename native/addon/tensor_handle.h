#pragma once
#include "addon/js.h"
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
class TensorHandle {
 public:
  static constexpr const char* kName = "NativeTensor";
  static constexpr napi_type_tag kTag = {0x6e6c72636e6e7431, 0x74656e736f720001};

  static js::Value define(js::Env env);
  static std::unique_ptr<TensorHandle> construct(const js::Call& call);
  static js::Value make(js::Env env, std::shared_ptr<Slot> slot);
  static js::Value make(js::Env env, Recorded recorded);
  // Throws js::Failure for what is no handle in use. The handle lasts as long as `value`, but JavaScript that
  // runs meanwhile may dispose of it.
  static TensorHandle& from(const js::Value& value);
  // As above for tensors alone, not values of a recording.
  static std::shared_ptr<Slot> slot_from(const js::Value& value);

  TensorHandle(js::Env env, std::shared_ptr<Slot> slot, Recorded recorded);
  ~TensorHandle() { release(); }
  TensorHandle(const TensorHandle&) = delete;
  TensorHandle& operator=(const TensorHandle&) = delete;

  const std::shared_ptr<Slot>& slot() const { return slot_; }
  const Recorded& recorded() const { return recorded_; }

 private:
  js::Value dtype(const js::Call& call);
  js::Value shape(const js::Call& call);
  js::Value device(const js::Call& call);
  js::Value bytes(const js::Call& call);
  js::Value disposed(const js::Call& call);
  js::Value dispose(const js::Call& call);
  void release() noexcept;

  js::Env env_;
  TensorDesc desc_;
  std::shared_ptr<Slot> slot_;
  Recorded recorded_;
  int64_t bytes_ = 0;
};

// Functions of the binding on eager tensors.
js::Value tensor(const js::Call& call);
js::Value op(const js::Call& call);
js::Value read(const js::Call& call);

}  // namespace nlrcnn::addon
