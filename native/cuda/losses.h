#pragma once
#include "cuda/kernels.h"
#include "ops/losses.h"

// Sums of many terms in one order: each block adds up its own, then one block adds up those.
namespace nlrcnn::cuda {

inline constexpr int64_t kTermsPerBlock = 4 * kThreads;

template <class Term>
NLRCNN_KERNEL void sum_blocks(Term term, int64_t terms, Span<double> partials) {
  NLRCNN_SHARED(double, sums, kThreads / 32);
  const int64_t first = block_x() * kTermsPerBlock;
  double own = 0;
  for (int64_t i = first + thread_index(); i < first + kTermsPerBlock && i < terms; i += kThreads)
    own += term(i);
  const double all = block_sum(sums, own);
  if (thread_index() == 0) partials[block_x()] = all;
}

template <class Out>
NLRCNN_KERNEL void finish_sum(Span<const double> partials, int64_t blocks, float weight, Span<Out> out) {
  NLRCNN_SHARED(double, sums, kThreads / 32);
  double own = 0;
  for (int64_t i = thread_index(); i < blocks; i += kThreads) own += partials[i];
  const double all = block_sum(sums, own);
  if (thread_index() == 0) out[0] = static_cast<Out>(all * weight);
}

inline size_t partial_bytes(int64_t terms) {
  return static_cast<size_t>(ceil_div(terms, kTermsPerBlock)) * sizeof(double);
}

// out[0] = weight · Σ term(i); `partials` has partial_bytes(terms).
template <class Term>
Status sum_terms(Stream& stream, const char* name, const Term& term, int64_t terms, float weight,
                 void* partials, Span<float> out) {
  const int64_t blocks = ceil_div(terms, kTermsPerBlock);
  const auto sums = span<double>(partials, blocks);
  if (Status s = launch(stream, name, {static_cast<uint32_t>(blocks)}, kThreads, sum_blocks<Term>, term,
                        terms, sums);
      !s.ok())
    return s;
  return launch(stream, "finish_sum", {1}, kThreads, finish_sum<float>, Span<const double>(sums), blocks,
                weight, out);
}

}  // namespace nlrcnn::cuda
