#pragma once
#include <algorithm>
#include <cmath>

#include "ops/non_local_roi_backward.h"

// How the gradients of the Non-local RoI block are made of matrix products and element-wise steps, in float32
// and with identity 1 of the block: the same for every backend.
namespace nlrcnn::non_local_roi_gradient {

using non_local_roi::Pairwise;

struct Sizes {
  int64_t rows, channels, height, width, embed, values, heads;
  int64_t per_segment, segments;  // rows of a segment where they lie apart, else all rows
  bool apart;
  Pairwise pairwise;
  float scale;

  NLRCNN_HD int64_t places() const { return height * width; }
  NLRCNN_HD bool softmax() const {
    return pairwise == Pairwise::embedded_gaussian || pairwise == Pairwise::gaussian;
  }
};

// Row-major D [m, n] = alpha · op(A) · op(B), added to what D holds where `add`.
struct Product {
  int64_t m, n, k;
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  float* d;
  int64_t ldd;
  bool transpose_a = false, transpose_b = false, add = false;
  int64_t batch = 1, stride_a = 0, stride_b = 0, stride_d = 0;
};

// Element-wise steps; F and I are pointers to float and int32 of the backend. These take a row and a column.
template <class F>
struct AddBias {  // to [n, width] += bias
  F bias, to;
  int64_t width;
  NLRCNN_HD void operator()(int64_t row, int64_t column) const { to[row * width + column] += bias[column]; }
};

template <class F>
struct Slice {  // columns [first, first + width) of [n, ld]
  F from, to;
  int64_t first, width, ld;
  NLRCNN_HD void operator()(int64_t row, int64_t column) const {
    to[row * width + column] = from[row * ld + first + column];
  }
};

template <class F>
struct AddSlice {  // and back: to += a + b
  F a, b, to;
  int64_t first, width, ld;
  NLRCNN_HD void operator()(int64_t row, int64_t column) const {
    to[row * ld + first + column] += a[row * width + column] + b[row * width + column];
  }
};

// And these an index.

// Whether a place is inside the window of a tap: tap (-1, ·) reaches all rows but the last, tap (1, ·) all
// but the first.
NLRCNN_HD inline bool reached(const Sizes& s, int64_t tap, int64_t place) {
  const int64_t y = place / s.width, x = place % s.width, dy = tap / 3, dx = tap % 3;
  return !(dy == 0 && y == s.height - 1) && !(dy == 2 && y == 0) && !(dx == 0 && x == s.width - 1) &&
         !(dx == 2 && x == 0);
}
NLRCNN_HD inline float reach(const Sizes& s, int64_t tap) {
  return static_cast<float>((s.height - (tap / 3 != 1)) * (s.width - (tap % 3 != 1))) /
         static_cast<float>(s.places());
}

template <class F>
struct WindowSums {  // x [K, P, D] to [K, 9, D], over P
  F x, to;
  Sizes s;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t c = i % s.channels, tap = i / s.channels % 9, k = i / s.channels / 9;
    float sum = 0;
    for (int64_t p = 0; p < s.places(); ++p)
      if (reached(s, tap, p)) sum += x[(k * s.places() + p) * s.channels + c];
    to[i] = sum / static_cast<float>(s.places());
  }
};

template <class F>
struct SpreadSums {  // its gradient, added to dx [K, P, D]
  F sums, dx;
  Sizes s;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t c = i % s.channels, p = i / s.channels % s.places(), k = i / s.channels / s.places();
    float sum = 0;
    for (int64_t tap = 0; tap < 9; ++tap)
      if (reached(s, tap, p)) sum += sums[(k * 9 + tap) * s.channels + c];
    dx[i] += sum / static_cast<float>(s.places());
  }
};

template <class F>
struct TapsInside {  // w3 [D_g, D_g, 9] as [D_g, 9, D_g]
  F from, to;
  int64_t values;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t in = i % values, tap = i / values % 9, out = i / values / 9;
    to[i] = from[(out * values + in) * 9 + tap];
  }
};

template <class F>
struct TapsOutside {  // and back, with what b1 adds
  F from, b1, db3, to;
  Sizes s;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t tap = i % 9, in = i / 9 % s.values, out = i / 9 / s.values;
    to[i] = from[(out * 9 + tap) * s.values + in] + reach(s, tap) * db3[out] * b1[in];
  }
};

template <class F>
struct ValueBias {  // b3 + Σ reach · w3 · b1
  F w3, b1, b3, to;
  Sizes s;
  NLRCNN_HD void operator()(int64_t o) const {
    double sum = b3[o];
    for (int64_t in = 0; in < s.values; ++in)
      for (int64_t tap = 0; tap < 9; ++tap)
        sum += static_cast<double>(reach(s, tap)) * w3[(o * s.values + in) * 9 + tap] * b1[in];
    to[o] = static_cast<float>(sum);
  }
};

template <class F>
struct InnerBias {  // db1
  F w3, db3, to;
  Sizes s;
  NLRCNN_HD void operator()(int64_t in) const {
    double sum = 0;
    for (int64_t o = 0; o < s.values; ++o)
      for (int64_t tap = 0; tap < 9; ++tap)
        sum += static_cast<double>(reach(s, tap)) * w3[(o * s.values + in) * 9 + tap] * db3[o];
    to[in] = static_cast<float>(sum);
  }
};

template <class F>
struct Fill {
  F to;
  float value;
  NLRCNN_HD void operator()(int64_t i) const { to[i] = value; }
};

// w_f's order (channel, place) as (place, channel), or back where `inverse`.
template <class F>
struct PairWeights {
  F from, to;
  int64_t each, places;
  bool inverse;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t f = i % each, p = i / each, other = f * places + p;
    if (inverse)
      to[other] = from[i];
    else
      to[i] = from[other];
  }
};

// Of each row: where its segment begins and ends.
template <class I>
struct FindSegments {
  I lengths, to;  // lengths: null where all rows are one
  bool given;
  Sizes s;
  NLRCNN_HD void operator()(int64_t row) const {
    int64_t begin = 0, end = given ? 0 : s.rows;
    if (given && s.apart) {
      const int64_t n = row / s.per_segment, wanted = lengths[n];
      const int64_t length = wanted < s.per_segment ? wanted : s.per_segment;
      begin = n * s.per_segment;
      end = row - begin < length ? begin + length : begin;
    } else if (given) {
      int64_t first = 0;
      for (int64_t n = 0; n < s.segments; first += lengths[n++])
        if (row >= first && row < first + lengths[n]) {
          begin = first < 0 ? 0 : first;
          end = first + lengths[n] < s.rows ? first + lengths[n] : s.rows;
        }
    }
    to[2 * row] = static_cast<int32_t>(begin);
    to[2 * row + 1] = static_cast<int32_t>(end);
  }
};

// One query: its column of the logits [keys, queries] becomes the attention.
template <class F, class I>
struct Attend {
  F logits, left, right;  // left and right: the terms of the concatenation form
  I segments;
  Sizes s;
  NLRCNN_HD void operator()(int64_t row) const {
    const int64_t n = s.per_segment, block = row / n * n, i = row - block, first = block * n;
    const int64_t begin = segments[2 * row] - block, end = segments[2 * row + 1] - block;
    float most = -INFINITY, sum = 0;
    for (int64_t j = begin; j < end && s.softmax(); ++j) {
      const float v = s.scale * logits[first + j * n + i];
      most = v > most ? v : most;
    }
    for (int64_t j = 0; j < n; ++j) {
      float v = 0;
      if (j >= begin && j < end) {
        if (s.softmax()) {
          v = expf(s.scale * logits[first + j * n + i] - most);
        } else if (s.pairwise == Pairwise::dot_product) {
          v = s.scale * logits[first + j * n + i] / static_cast<float>(end - begin);
        } else {
          const float pair = left[row] + right[block + j];
          v = pair > 0 ? s.scale * pair / static_cast<float>(end - begin) : 0.0f;
        }
        sum += v;
      }
      logits[first + j * n + i] = v;
    }
    for (int64_t j = begin; j < end && s.softmax(); ++j) logits[first + j * n + i] /= sum;
  }
};

// One query: the gradient of its attention becomes that of its logits.
template <class F, class I>
struct AttendBackward {
  F attention, grad, left, right;
  I segments;
  Sizes s;
  NLRCNN_HD void operator()(int64_t row) const {
    const int64_t n = s.per_segment, block = row / n * n, i = row - block, first = block * n;
    const int64_t begin = segments[2 * row] - block, end = segments[2 * row + 1] - block;
    float mean = 0;
    for (int64_t j = begin; j < end && s.softmax(); ++j)
      mean += attention[first + j * n + i] * grad[first + j * n + i];
    for (int64_t j = 0; j < n; ++j) {
      const int64_t at = first + j * n + i;
      float v = 0;
      if (j >= begin && j < end) {
        v = grad[at];
        if (s.softmax())
          v = s.scale * attention[at] * (v - mean);
        else
          v *= s.scale / static_cast<float>(end - begin);
        if (s.pairwise == Pairwise::concatenation && !(left[row] + right[block + j] > 0)) v = 0;
      }
      grad[at] = v;
    }
  }
};

// Sums over the rows of [rows, width], in two steps and in double: gradients of biases cancel to little.
// Parts are pairs of floats, a sum and what it lost by rounding.
inline constexpr int64_t kPartRows = 128;
NLRCNN_HD inline int64_t parts_of(int64_t rows) {
  return (rows + kPartRows - 1) / kPartRows;
}

template <class F>
struct SumParts {
  F from, parts;
  int64_t rows, width;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t column = i % width, begin = i / width * kPartRows;
    double sum = 0;
    for (int64_t row = begin; row < rows && row < begin + kPartRows; ++row) sum += from[row * width + column];
    parts[2 * i] = static_cast<float>(sum);
    parts[2 * i + 1] = static_cast<float>(sum - parts[2 * i]);
  }
};

template <class F>
struct SumOfParts {
  F parts, to;
  int64_t count, width;
  NLRCNN_HD void operator()(int64_t column) const {
    double sum = 0;
    for (int64_t part = 0; part < count; ++part)
      sum += static_cast<double>(parts[2 * (part * width + column)]) + parts[2 * (part * width + column) + 1];
    to[column] = static_cast<float>(sum);
  }
};

// Gradients of the concatenation's terms: for each query the sum over keys, then for each key that over
// queries, of [keys, queries] of each segment.
template <class F>
struct PairSums {
  F grad, to;
  Sizes s;
  NLRCNN_HD void operator()(int64_t i) const {
    const int64_t n = s.per_segment, row = i % s.rows, first = row / n * n * n, at = row % n;
    const bool query = i < s.rows;
    double sum = 0;
    for (int64_t j = 0; j < n; ++j) sum += grad[first + (query ? j * n + at : at * n + j)];
    to[i] = static_cast<float>(sum);
  }
};

// Where things lie in the workspace, in floats.
struct Buffers {
  size_t x = 0, dx, y, phi, psi, dphi, dpsi, attention, grad, sums, dsums, g, dg, taps, dtaps, merged,
         dmerged, bias, parts, terms, dterms, pairs, dpairs, segments, end = 0;

  explicit Buffers(const Sizes& s) {
    const auto take = [this](int64_t floats) {
      const size_t at = end;
      end += static_cast<size_t>((floats + 63) / 64 * 64);
      return at;
    };
    const int64_t each = s.embed / s.heads, v = s.values, area = s.rows * s.per_segment;
    x = take(s.rows * s.places() * s.channels);
    dx = take(s.rows * s.places() * s.channels);
    y = take(s.rows * v);
    phi = take(s.rows * s.places() * each);
    psi = take(s.rows * s.places() * each);
    dphi = take(s.rows * s.places() * each);
    dpsi = take(s.rows * s.places() * each);
    attention = take(area);
    grad = take(area);
    sums = take(s.rows * 9 * s.channels);
    dsums = take(s.rows * 9 * s.channels);
    g = take(s.rows * v);
    dg = take(s.rows * v);
    taps = take(v * 9 * v);
    dtaps = take(v * 9 * v);
    merged = take(v * 9 * s.channels);
    dmerged = take(v * 9 * s.channels);
    bias = take(v);
    parts = take(2 * std::max(parts_of(s.rows * s.places()) * each, parts_of(s.rows) * v));
    terms = take(2 * s.rows);
    dterms = take(2 * s.rows);
    pairs = take(2 * s.places() * each);
    dpairs = take(2 * s.places() * each);
    segments = take(2 * s.rows);
  }
};

// Inputs and outputs as a backend holds them.
struct Weights {
  const float *phi_weight, *phi_bias, *psi_weight, *psi_bias, *g1_weight, *g1_bias, *g3_weight, *g3_bias,
      *w_f;
};
struct WeightGradients {
  float *phi_weight, *phi_bias, *psi_weight, *psi_bias, *g1_weight, *g1_bias, *g3_weight, *g3_bias, *w_f;
};

inline Sizes sizes_of(const OpCall& forward, int64_t values) {
  non_local_roi::Settings settings;
  non_local_roi::read_settings(forward, &settings);
  const Shape& x = forward.in[non_local_roi::x].shape;
  Sizes s{x[0],
          x[1],
          x[2],
          x[3],
          x[1],
          values,
          settings.heads,
          x[0],
          0,
          settings.rows_per_segment > 0,
          settings.pairwise,
          1};
  if (s.pairwise != Pairwise::gaussian) s.embed = forward.in[non_local_roi::phi_weight].shape[0];
  if (s.apart) s.per_segment = settings.rows_per_segment;
  if (forward.has(non_local_roi::segments)) s.segments = forward.in[non_local_roi::segments].shape[0];
  const double size = double(s.embed / s.heads) * double(s.places());
  if (settings.rsqrt) s.scale = static_cast<float>(1 / std::sqrt(size));
  return s;
}

}  // namespace nlrcnn::non_local_roi_gradient
