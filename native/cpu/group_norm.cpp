#include "ops/group_norm.h"

#include "cpu/norm.h"

namespace nlrcnn::cpu {

Result<std::unique_ptr<Kernel>> make_group_norm(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new NormForward(call, block, 3, 0));
}

}  // namespace nlrcnn::cpu
