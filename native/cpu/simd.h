#pragma once

// Compiles a hot function once per instruction set and picks at load time. OpenMP outlines the body of a parallel
// loop into a function of its own that would lose this, so mark the function called inside the loop.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define NLRCNN_MULTIVERSION \
  __attribute__((noinline, target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define NLRCNN_MULTIVERSION __attribute__((noinline))
#endif
