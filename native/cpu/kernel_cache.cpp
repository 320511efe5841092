#include "cpu/kernel_cache.h"

#include <unordered_set>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

constexpr size_t kKept = 1024;

// Those that choose algorithms and generate code. The others are made in no time, and those of optimisers
// anew for each learning rate.
bool takes_time(const std::string& op) {
  static const std::unordered_set<std::string> kOps{
      "conv2d", "conv2d_backward", "conv_transpose2d", "conv_transpose2d_backward",
      "linear", "linear_backward", "non_local_roi",    "non_local_roi_backward"};
  return kOps.contains(op);
}

std::string key_of(const OpCall& call) {
  std::string key = call.name + ' ' + call.attrs.key();
  const auto add = [&key](int64_t value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto describe = [&](const TensorDesc& desc) {
    add(static_cast<int64_t>(desc.dtype) << 8 | static_cast<int64_t>(desc.layout));
    add(static_cast<int64_t>(desc.shape.size()));
    for (int64_t size : desc.shape) add(size);
  };
  for (size_t i = 0; i < call.in.size(); ++i) {
    add(call.has(i));
    describe(call.in[i]);
  }
  for (const TensorDesc& desc : call.out) describe(desc);
  return key;
}

}  // namespace

Result<std::shared_ptr<Kernel>> make_kernel(const OpCall& call, int block) {
  auto made = find_kernel(call.name)(call, block);
  if (!made.ok()) return made.status();
  return std::shared_ptr<Kernel>(std::move(made.value()));
}

Result<std::shared_ptr<Kernel>> KernelCache::get(const OpCall& call, int block) {
  if (!takes_time(call.name)) return make_kernel(call, block);
  const std::string key = key_of(call);
  if (const auto found = found_.find(key); found != found_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->second;
  }
  auto made = make_kernel(call, block);
  if (!made.ok()) return made.status();
  entries_.emplace_front(key, made.value());
  found_[key] = entries_.begin();
  if (entries_.size() > kKept) {
    found_.erase(entries_.back().first);
    entries_.pop_back();
  }
  return made.value();
}

}  // namespace nlrcnn::cpu
