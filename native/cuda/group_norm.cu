#include "ops/group_norm.h"

#include "cuda/norm.h"

namespace nlrcnn::cuda {

Result<std::unique_ptr<Kernel>> make_group_norm(const OpCall& call, Stream&) {
  return made(std::make_unique<NormForward>(call, 3, 0));
}

}  // namespace nlrcnn::cuda
