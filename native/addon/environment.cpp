#include "addon/environment.h"

#include <cstdlib>
#include <vector>

namespace nlrcnn::addon {

void Environment::init(js::Env env) {
  auto made = std::make_unique<Environment>();
  js::set_instance_data(env, made.get(), [](void* data) { delete static_cast<Environment*>(data); });
  Environment* self = made.release();
  self->channel_.open(env);
  close_at_exit(self->shared_);
  // Of an environment that Node takes down, as a terminated worker's; before the channel closes, which would
  // leave the device's thread without it. process.exit() runs no hooks in the main thread: lib/binding.ts
  // closes there.
  js::add_cleanup_hook(
      env, [](void* data) { static_cast<Environment*>(data)->close(); }, self);
}

std::function<void()> Environment::counted(std::function<void()> work, std::function<void()> after) {
  // JavaScript may still run where an environment ends within a call of its own.
  if (shared_->stopping)
    js::fail(Code::cancelled, "Expected an environment that runs on but received one that is ending");
  auto ticket = std::make_shared<Ticket>(shared_);
  return [ticket = std::move(ticket), work = std::move(work), after = std::move(after)]() mutable {
    if (!ticket->shared->stopping) work();
    if (after) after();
    work = nullptr;  // what it holds is freed before the environment may go
    after = nullptr;
    ticket.reset();
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
  plan ? device->enqueue_plan(std::move(all)) : device->enqueue(std::move(all));
  // Its completion runs in this thread, so later than this.
  if (awaited_++ == 0) channel_.hold(env);
}

void Environment::Shared::close() {
  stopping = true;
  std::unique_lock lock(mutex);
  drained.wait(lock, [this] { return queued == 0; });
}

void Environment::close_at_exit(const std::shared_ptr<Shared>& shared) {
  static std::mutex mutex;
  static auto* all = new std::vector<std::weak_ptr<Shared>>();
  static const int registered = std::atexit([] {
    std::lock_guard lock(mutex);
    for (const auto& one : *all)
      if (const auto shared = one.lock()) shared->close();
  });
  (void)registered;
  std::lock_guard lock(mutex);
  std::erase_if(*all, [](const auto& one) { return one.expired(); });
  all->push_back(shared);
}

}  // namespace nlrcnn::addon
