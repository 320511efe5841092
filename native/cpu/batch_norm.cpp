#include "ops/batch_norm.h"

#include "cpu/norm.h"

namespace nlrcnn::cpu {

Result<std::unique_ptr<Kernel>> make_batch_norm(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new NormForward(call, block, 5, 3));
}

}  // namespace nlrcnn::cpu
