#pragma once
#include <algorithm>

#include "ops/losses.h"

namespace nlrcnn::cpu {

inline constexpr int64_t kTermsPerChunk = 4096;

inline size_t partial_bytes(int64_t terms) {
  return (terms / kTermsPerChunk + 1) * sizeof(double);
}

// weight · Σ term(i), always summed in the same order; `partials` has partial_bytes(terms).
template <class F>
float sum_terms(int64_t terms, float weight, double* partials, const F& term) {
  const int64_t chunks = (terms + kTermsPerChunk - 1) / kTermsPerChunk;
#pragma omp parallel for if (chunks > 1)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = std::min(terms, (chunk + 1) * kTermsPerChunk);
    double sum = 0;
    for (int64_t i = chunk * kTermsPerChunk; i < end; ++i) sum += term(i);
    partials[chunk] = sum;
  }
  double sum = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += partials[chunk];
  return static_cast<float>(sum * weight);
}

// The first label outside of [low, classes), or -1 where there is none.
inline int64_t find_wrong_label(const int32_t* labels, int64_t rows, int64_t low, int64_t classes) {
  for (int64_t i = 0; i < rows; ++i)
    if (labels[i] < low || labels[i] >= classes) return i;
  return -1;
}

}  // namespace nlrcnn::cpu
