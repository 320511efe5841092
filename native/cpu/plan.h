#pragma once
#include "cpu/device.h"

namespace nlrcnn::cpu {

// Kernels for a graph's shapes, and one offset in the device's arena per value. All but the constructor
// belongs to the device thread.
class CpuPlan : public Plan {
 public:
  // `kernels`: of ops that run one by one; such a plan runs once and does not hold the arena.
  CpuPlan(std::shared_ptr<CpuDevice> device, Graph graph, std::vector<int> outputs,
          KernelCache* kernels = nullptr)
      : Plan(std::move(graph), std::move(outputs)), device_(std::move(device)), cache_(kernels) {}

  Status run(const std::vector<Input>& inputs, const std::atomic<bool>& stop, std::vector<Tensor>* outputs,
             std::vector<Timing>* timings) override;
  void dispose() override;
  size_t arena_bytes() const override { return arena_bytes_; }

 private:
  Status prepare();
  // Whether a step gives the value, so that its storage is the plan's own.
  bool made_here(int value) const;
  Status run_step(size_t index, char* arena, const std::vector<Input>& inputs, std::vector<Tensor>& dynamic);

  std::shared_ptr<CpuDevice> device_;
  bool prepared_ = false, disposed_ = false;
  KernelCache* cache_;
  std::vector<std::shared_ptr<Kernel>> kernels_;
  Placement placement_;
  std::atomic<size_t> arena_bytes_ = 0;  // any thread may ask
};

}  // namespace nlrcnn::cpu
