#pragma once

// Compiles a hot function once per instruction set and picks at load time. OpenMP outlines the body of a
// parallel loop into a function of its own that would lose this, so mark the function called inside the loop.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define NLRCNN_MULTIVERSION \
  __attribute__((noinline, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define NLRCNN_MULTIVERSION __attribute__((noinline))
#endif
// For the parts of such a function.
#define NLRCNN_INLINE inline __attribute__((always_inline))

namespace nlrcnn::cpu {

// The channels of a block at one place.
template <int B>
struct Lanes {
  typedef float Type __attribute__((vector_size(4 * B), aligned(4)));
};
template <int B>
using LanesOf = typename Lanes<B>::Type;

}  // namespace nlrcnn::cpu
