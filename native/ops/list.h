#pragma once

// Every op of the package: native/ops/NAME.h is its contract, native/cpu/NAME.cpp its CPU kernel, lib/ops/NAME.ts its wrapper.
#define NLRCNN_OPS(OP) \
  OP(conv2d)           \
  OP(conv_transpose2d) \
  OP(linear)           \
  OP(reorder)
