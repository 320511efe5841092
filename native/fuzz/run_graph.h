#pragma once
#include "core/graph.h"

namespace nlrcnn::fuzz {

// Memory of exactly so many bytes, at an alignment that kernels may count on: one more is found by the
// sanitizer.
std::shared_ptr<Storage> exact_storage(size_t bytes);

// Runs the graph's steps on CPU kernels. Unlike a plan each value has memory of its own, so that no kernel
// writes beside its output unseen. `made`, where given, gets every value's memory; null for those not made.
Status run_graph(const Graph& graph, std::vector<Tensor>* made = nullptr);

}  // namespace nlrcnn::fuzz
