#pragma once
#include "core/op.h"
#include "ops/list.h"

namespace nlrcnn::cpu {

#define NLRCNN_DECLARE(op) Result<std::unique_ptr<Kernel>> make_##op(const OpCall& call, int block);
NLRCNN_OPS(NLRCNN_DECLARE)
#undef NLRCNN_DECLARE

KernelFactory find_kernel(const std::string& name);

}  // namespace nlrcnn::cpu
