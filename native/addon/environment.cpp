#include "addon/environment.h"

namespace nlrcnn::addon {

void Environment::init(js::Env env) {
  auto made = std::make_unique<Environment>();
  js::set_instance_data(env, made.get(), [](void* data) { delete static_cast<Environment*>(data); });
  Environment* self = made.release();
  self->channel_.open(env);
  // Runs before the channel closes, which would leave the device's thread without it.
  js::add_cleanup_hook(
      env, [](void* data) { static_cast<Environment*>(data)->close(); }, self);
}

std::function<void()> Environment::counted(std::function<void()> work, std::function<void()> after) {
  // JavaScript may still run where an environment ends within a call of its own.
  if (shared_->stopping)
    js::fail(Code::cancelled, "Expected an environment that runs on but received one that is ending");
  {
    std::lock_guard lock(shared_->mutex);
    ++shared_->queued;
  }
  return [shared = shared_, work = std::move(work), after = std::move(after)]() mutable {
    if (!shared->stopping) work();
    if (after) after();
    work = nullptr;  // what it holds is freed before the environment may go
    after = nullptr;
    std::lock_guard lock(shared->mutex);
    if (--shared->queued == 0) shared->drained.notify_all();
  };
}

void Environment::enqueue(const std::shared_ptr<Device>& device, std::function<void()> work) {
  device->enqueue(counted(std::move(work), nullptr));
}

void Environment::enqueue(js::Env env, const std::shared_ptr<Device>& device, bool plan,
                          std::function<void()> work, js::Channel::Done done) {
  auto completion = [this, done = std::move(done)](js::Env env) {
    if (--awaited_ == 0) channel_.release(env);
    done(env);
  };
  auto all = counted(std::move(work), [this, completion] { channel_.call(completion); });
  if (awaited_++ == 0) channel_.hold(env);
  plan ? device->enqueue_plan(std::move(all)) : device->enqueue(std::move(all));
}

void Environment::close() {
  shared_->stopping = true;
  std::unique_lock lock(shared_->mutex);
  shared_->drained.wait(lock, [this] { return shared_->queued == 0; });
}

}  // namespace nlrcnn::addon
