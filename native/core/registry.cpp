#include <cstring>

#include "core/op.h"
#include "cpu/kernels.h"
#include "ops/conv2d.h"
#include "ops/conv_transpose2d.h"
#include "ops/linear.h"
#include "ops/list.h"
#include "ops/reorder.h"

namespace nlrcnn {
namespace {

struct Entry {
  OpContract contract;
  KernelFactory cpu;
};

const Entry kEntries[] = {
#define NLRCNN_ENTRY(op) {{#op, op::wants, op::infer}, cpu::make_##op},
    NLRCNN_OPS(NLRCNN_ENTRY)
#undef NLRCNN_ENTRY
};

const Entry* find(const std::string& name) {
  for (const Entry& entry : kEntries)
    if (name == entry.contract.name) return &entry;
  return nullptr;
}

}  // namespace

const OpContract* find_contract(const std::string& name) {
  const Entry* entry = find(name);
  return entry ? &entry->contract : nullptr;
}

KernelFactory find_cpu_kernel(const std::string& name) {
  const Entry* entry = find(name);
  return entry ? entry->cpu : nullptr;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.contract.name);
  return names;
}

}  // namespace nlrcnn
