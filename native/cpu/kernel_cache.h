#pragma once
#include <list>
#include <unordered_map>

#include "core/op.h"

namespace nlrcnn::cpu {

Result<std::shared_ptr<Kernel>> make_kernel(const OpCall& call, int block);

// Kernels of ops that run one by one, kept for calls of the same settings and shapes: making one (choosing an
// algorithm, generating code) can take longer than running it. Device thread only.
class KernelCache {
 public:
  Result<std::shared_ptr<Kernel>> get(const OpCall& call, int block);

 private:
  using Entry = std::pair<std::string, std::shared_ptr<Kernel>>;

  std::list<Entry> entries_;  // the latest used first
  std::unordered_map<std::string, std::list<Entry>::iterator> found_;
};

}  // namespace nlrcnn::cpu
