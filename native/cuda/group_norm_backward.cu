#include "ops/group_norm_backward.h"

#include "cuda/norm.h"

namespace nlrcnn::cuda {

Result<std::unique_ptr<Kernel>> make_group_norm_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<NormBackward>(call));
}

}  // namespace nlrcnn::cuda
