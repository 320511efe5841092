#pragma once
#include <functional>

#include "core/graph.h"
#include "core/plan.h"

namespace nlrcnn {

// Where tensors live and ops run: a queue that works in order on threads of its own.
class Device : public std::enable_shared_from_this<Device> {
 public:
  virtual ~Device() = default;

  const std::string& name() const { return name_; }  // "cpu", "cuda:0"
  // What ops run for here, in float32.
  const Target& target() const { return target_; }

  // Runs `work` after everything enqueued before.
  virtual void enqueue(std::function<void()> work) = 0;
  // Runs `work`, the run of a plan, after everything given to enqueue() before, perhaps beside other plans.
  virtual void enqueue_plan(std::function<void()> work) { enqueue(std::move(work)); }

  virtual Result<std::shared_ptr<Storage>> allocate(size_t bytes) = 0;
  // Memory for a storage made without; on the device's thread, when what fills it is about to run.
  virtual Status provide(Storage& storage) = 0;
  // Both wait; from any thread for memory that no queued work touches, else from the device's.
  virtual Status upload(void* to, const void* from, size_t bytes) = 0;
  virtual Status download(void* to, const void* from, size_t bytes) = 0;

  virtual std::shared_ptr<Plan> make_plan(Graph graph, std::vector<int> outputs) = 0;
  // Runs a graph without inputs once; on the device's thread.
  virtual Status run_once(Graph graph, std::vector<int> values, const std::atomic<bool>& stop,
                          std::vector<Tensor>* outputs) {
    auto plan = make_plan(std::move(graph), std::move(values));
    const Status status = plan->run({}, stop, outputs);
    plan->dispose();
    return status;
  }

 protected:
  Device(std::string name, Target target) : name_(std::move(name)), target_(target) {}

  std::string name_;
  Target target_;
};

}  // namespace nlrcnn
