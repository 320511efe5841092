#include <algorithm>
#include <numeric>

#include "core/plan.h"

namespace nlrcnn {
namespace {

// Values that share memory because one takes over another's, and the steps between which that memory is
// needed.
struct Lifetime {
  size_t bytes = 0;
  int first = 1 << 30, last = -1;
  size_t offset = 0;
};

}  // namespace

Placement place(const Graph& graph, const std::vector<int>& outputs, size_t alignment,
                const std::map<int, size_t>& dynamic) {
  const auto& values = graph.values;
  const int steps = static_cast<int>(graph.steps.size());
  std::vector<int> last_use(values.size(), -1);
  for (int s = 0; s < steps; ++s)
    for (int v : graph.steps[s].in)
      if (v >= 0) last_use[v] = s;
  for (int v : outputs) last_use[v] = steps;

  std::vector<int> owner(values.size());
  std::iota(owner.begin(), owner.end(), 0);
  auto in_arena = [&](int v) {
    return !values[v].storage && values[v].input < 0 && (!values[v].desc.dynamic() || dynamic.count(v));
  };
  std::vector<Lifetime> lives(values.size());
  for (int s = 0; s < steps; ++s) {
    const Step& step = graph.steps[s];
    const int reused = in_place_input(step.call);
    for (int v : step.out) {
      if (!in_arena(v)) continue;
      const int from = reused >= 0 ? step.in[reused] : -1;
      const bool takes_over = from >= 0 && in_arena(from) && last_use[from] == s &&
                              std::count(step.in.begin(), step.in.end(), from) == 1 &&
                              values[from].desc == values[v].desc;
      owner[v] = takes_over ? owner[from] : v;
      Lifetime& life = lives[owner[v]];
      const size_t bytes = dynamic.count(v) ? dynamic.at(v) : values[v].desc.bytes(graph.target.block);
      life.bytes = std::max(life.bytes, (bytes + alignment - 1) / alignment * alignment);
      life.first = std::min(life.first, s);
      life.last = std::max({life.last, s, last_use[v]});
    }
  }

  // Largest first, each at the lowest offset that is free during its whole life.
  std::vector<int> order;
  for (size_t v = 0; v < values.size(); ++v)
    if (lives[v].bytes) order.push_back(static_cast<int>(v));
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return lives[a].bytes > lives[b].bytes; });
  std::vector<const Lifetime*> placed;
  size_t end = 0;
  for (int v : order) {
    Lifetime& life = lives[v];
    std::vector<std::pair<size_t, size_t>> taken;
    for (const Lifetime* other : placed)
      if (other->first <= life.last && life.first <= other->last)
        taken.emplace_back(other->offset, other->offset + other->bytes);
    std::sort(taken.begin(), taken.end());
    size_t offset = 0;
    for (const auto& [from, to] : taken) {
      if (offset + life.bytes <= from) break;
      offset = std::max(offset, to);
    }
    life.offset = offset;
    placed.push_back(&life);
    end = std::max(end, offset + life.bytes);
  }
  Placement placement{std::vector<size_t>(values.size()), end};
  for (size_t v = 0; v < values.size(); ++v) placement.offsets[v] = lives[owner[v]].offset;
  return placement;
}

}  // namespace nlrcnn
