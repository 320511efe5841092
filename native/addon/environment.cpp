#include "addon/environment.h"

namespace nlrcnn::addon {

void Environment::init(Napi::Env env) {
  auto* self = new Environment();
  env.SetInstanceData(self);
  self->channel_ = Channel::New(env, "nlrcnn", 0, 1);
  self->channel_.Unref(env);
  // Hooks run last in, first out: this one before the channel's own, which would leave the device thread
  // without it.
  env.AddCleanupHook([self] { self->close(); });
}

std::function<void()> Environment::counted(std::function<void()> work, std::function<void()> after) {
  {
    std::lock_guard lock(shared_->mutex);
    ++shared_->queued;
  }
  return [shared = shared_, work = std::move(work), after = std::move(after)]() mutable {
    if (!shared->stopping) work();
    if (after) after();
    work = nullptr;  // what it holds is freed before the environment may go
    std::lock_guard lock(shared->mutex);
    if (--shared->queued == 0) shared->drained.notify_all();
  };
}

void Environment::enqueue(const std::shared_ptr<Device>& device, std::function<void()> work) {
  device->enqueue(counted(std::move(work), nullptr));
}

void Environment::enqueue(Napi::Env env, const std::shared_ptr<Device>& device, bool plan,
                          std::function<void()> work, Done done) {
  if (awaited_++ == 0) channel_.Ref(env);
  auto* completion = new Done([this, done = std::move(done)](Napi::Env env) {
    if (--awaited_ == 0) channel_.Unref(env);
    done(env);
  });
  auto all = counted(std::move(work), [channel = channel_, completion] { channel.BlockingCall(completion); });
  plan ? device->enqueue_plan(std::move(all)) : device->enqueue(std::move(all));
}

void Environment::call_js(Napi::Env env, Napi::Function, std::nullptr_t*, Done* done) {
  if (static_cast<napi_env>(env)) (*done)(env);  // null where the environment is going down
  delete done;
}

void Environment::close() {
  shared_->stopping = true;
  std::unique_lock lock(shared_->mutex);
  shared_->drained.wait(lock, [this] { return shared_->queued == 0; });
}

}  // namespace nlrcnn::addon
