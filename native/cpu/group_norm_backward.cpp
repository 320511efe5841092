#include "ops/group_norm_backward.h"

#include "cpu/norm.h"

namespace nlrcnn::cpu {

Result<std::unique_ptr<Kernel>> make_group_norm_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new NormBackward(call, block));
}

}  // namespace nlrcnn::cpu
