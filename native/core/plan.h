#pragma once
#include <atomic>
#include <utility>

#include "core/device.h"
#include "core/graph.h"

namespace nlrcnn {

// A graph made ready to run again and again: kernels for its shapes, and one offset in the device's arena per
// value. All but the constructor belongs to the device thread.
class Plan {
 public:
  Plan(std::shared_ptr<CpuDevice> device, Graph graph, std::vector<int> outputs, int block);

  struct Timing {
    std::string op;
    double microseconds;
  };

  // Reads `inputs` in the order of Graph::input and gives the values asked for in memory of their own. Ends
  // early with Code::cancelled once `stop` is set.
  Status run(const std::vector<const void*>& inputs, const std::atomic<bool>& stop,
             std::vector<Tensor>* outputs, std::vector<Timing>* timings = nullptr);
  // Frees kernels and the hold on the arena; later runs fail.
  void dispose();

  const std::shared_ptr<CpuDevice>& device() const { return device_; }
  size_t arena_bytes() const { return arena_bytes_; }
  size_t op_count() const { return graph_.steps.size(); }
  const Graph& graph() const { return graph_; }

 private:
  Status prepare();
  void place();
  Status run_step(size_t index, char* arena, const std::vector<const void*>& inputs,
                  std::vector<Tensor>& dynamic);

  std::shared_ptr<CpuDevice> device_;
  Graph graph_;
  std::vector<int> outputs_;
  int block_;
  bool prepared_ = false, disposed_ = false;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<size_t> offsets_;
  size_t workspace_offset_ = 0, arena_bytes_ = 0;
};

}  // namespace nlrcnn
