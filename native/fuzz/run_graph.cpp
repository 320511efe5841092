#include "fuzz/run_graph.h"

#include <cstdlib>
#include <cstring>

#include "cpu/kernel_cache.h"

namespace nlrcnn::fuzz {

std::shared_ptr<Storage> exact_storage(size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 64, bytes ? bytes : 1) != 0) return nullptr;
  // A pattern, NaN as floats: what a kernel leaves unwritten is no zero by chance.
  std::memset(data, 0xff, bytes);
  return std::make_shared<Storage>(data, bytes, [](void* memory, size_t) { std::free(memory); });
}

Status run_graph(const Graph& graph, std::vector<Tensor>* made) {
  const int block = graph.target.block;
  std::vector<Tensor> tensors;
  for (const Value& value : graph.values) tensors.push_back({value.desc, value.storage});
  const auto view = [&](int v) { return View{&tensors[v].desc, tensors[v].storage->data()}; };
  Status status;
  for (const Step& step : graph.steps) {
    auto kernel = cpu::make_kernel(step.call, block);
    if (!kernel.ok()) {
      status = kernel.status();
      break;
    }
    RunContext context;
    for (int v : step.in) {
      context.in.push_back(v < 0 ? View{} : view(v));
      context.in_storage.push_back(v < 0 ? nullptr : graph.values[v].storage.get());
    }
    for (int v : step.out) {
      if (!tensors[v].desc.dynamic()) tensors[v].storage = exact_storage(tensors[v].desc.bytes(block));
      context.out.push_back(tensors[v].storage ? view(v) : View{&tensors[v].desc, nullptr});
    }
    context.dynamic_out.resize(step.out.size());
    const auto workspace = exact_storage(kernel.value()->workspace_bytes());
    context.workspace = workspace->data();
    status = kernel.value()->run(context);
    for (size_t i = 0; i < step.out.size(); ++i)
      if (context.dynamic_out[i].storage) tensors[step.out[i]] = context.dynamic_out[i];
    if (!status.ok()) break;
  }
  if (made) *made = std::move(tensors);
  return status;
}

}  // namespace nlrcnn::fuzz
