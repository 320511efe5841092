#pragma once
#include <atomic>
#include <utility>

#include "core/graph.h"

namespace nlrcnn {

// A graph made ready to run again and again on one device.
class Plan {
 public:
  struct Input {
    const void* data;
    size_t bytes;  // at most those of the recorded shape
  };
  struct Timing {
    std::string op;
    double microseconds;
  };

  virtual ~Plan() = default;

  // Gives the values asked for in host memory of their own; those of external storage as they are. Called on
  // a thread of the device; ends early with Code::cancelled once `stop` is set.
  virtual Status run(const std::vector<Input>& inputs, const std::atomic<bool>& stop,
                     std::vector<Tensor>* outputs, std::vector<Timing>* timings = nullptr) = 0;
  // Frees what it holds; later runs fail. Called on the device's thread.
  virtual void dispose() = 0;

  virtual size_t arena_bytes() const = 0;
  size_t op_count() const { return graph_.steps.size(); }
  const Graph& graph() const { return graph_; }

 protected:
  Plan(Graph graph, std::vector<int> outputs) : graph_(std::move(graph)), outputs_(std::move(outputs)) {}

  Graph graph_;
  std::vector<int> outputs_;
};

// Where each value of a graph lies in an arena that they share over time.
struct Placement {
  std::vector<size_t> offsets;  // of values that are neither external nor inputs nor (unless given) dynamic
  size_t bytes = 0;
};
// `dynamic`: bytes of the dynamic values that have a place too.
Placement place(const Graph& graph, const std::vector<int>& outputs, size_t alignment,
                const std::map<int, size_t>& dynamic = {});

}  // namespace nlrcnn
