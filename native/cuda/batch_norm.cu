#include "ops/batch_norm.h"

#include "cuda/norm.h"

namespace nlrcnn::cuda {

Result<std::unique_ptr<Kernel>> make_batch_norm(const OpCall& call, Stream&) {
  return made(std::make_unique<NormForward>(call, 5, 3));
}

}  // namespace nlrcnn::cuda
