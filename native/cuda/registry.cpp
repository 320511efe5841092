#include "cuda/kernels.h"

namespace nlrcnn::cuda {

Factory find_kernel(const std::string& name) {
#define NLRCNN_ENTRY(op) \
  if (name == #op) return make_##op;
  NLRCNN_OPS(NLRCNN_ENTRY)
#undef NLRCNN_ENTRY
  return nullptr;
}

}  // namespace nlrcnn::cuda
