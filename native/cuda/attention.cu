#include "cuda/attention.h"

#include "ops/non_local_roi.h"

namespace nlrcnn::cuda {
namespace {

constexpr int kRows = 8;     // of the attention, per block: one per warp
constexpr int kChunk = 256;  // columns of the attention held at once
constexpr int kColumns = 4;  // of g per thread, at most

// One thread for each RoI and pack of channels; its places are read once.
template <class T>
NLRCNN_KERNEL void sum_windows(Span<const T> x, Span<float> sums, Map map) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, k = i / map.c, c = i % map.c;
  if (k >= map.n) return;
  float total[kSize] = {}, top[kSize] = {}, bottom[kSize] = {}, left[kSize] = {}, right[kSize] = {};
  float corners[4][kSize];
  for (int64_t y = 0; y < map.h; ++y) {
    float row[kSize] = {};
    for (int64_t at = 0; at < map.w; ++at) {
      const Pack<T> pack = load_pack(x, map.at(k, y, at) + c);
      for (int j = 0; j < kSize; ++j) {
        const float v = to_float(pack.values[j]);
        row[j] += v;
        if (at == 0) left[j] += v;
        if (at == map.w - 1) right[j] += v;
        if (y == 0 && at == 0) corners[0][j] = v;
        if (y == 0 && at == map.w - 1) corners[1][j] = v;
        if (y == map.h - 1 && at == 0) corners[2][j] = v;
        if (y == map.h - 1 && at == map.w - 1) corners[3][j] = v;
      }
    }
    for (int j = 0; j < kSize; ++j) {
      total[j] += row[j];
      if (y == 0) top[j] = row[j];
      if (y == map.h - 1) bottom[j] = row[j];
    }
  }
  const float mean = 1.0f / static_cast<float>(map.h * map.w);
  // Tap (-1, ·) reaches all rows but the last, tap (1, ·) all but the first.
  for (int tap = 0; tap < 9; ++tap) {
    const int dy = tap / 3, dx = tap % 3;
    Pack<float> pack[kSize / 4];
    for (int j = 0; j < kSize; ++j) {
      float v = total[j];
      if (dy == 0) v -= bottom[j];
      if (dy == 2) v -= top[j];
      if (dx == 0) v -= right[j];
      if (dx == 2) v -= left[j];
      if (dy == 0 && dx == 0) v += corners[3][j];
      if (dy == 0 && dx == 2) v += corners[2][j];
      if (dy == 2 && dx == 0) v += corners[1][j];
      if (dy == 2 && dx == 2) v += corners[0][j];
      pack[j / 4].values[j % 4] = v * mean;
    }
    for (int j = 0; j < kSize / 4; ++j) store_pack(sums, (k * 9 + tap) * map.c + c + 4 * j, pack[j]);
  }
}

// w3 [D_g, D_g, 3, 3] as [9, D_g, D_g].
NLRCNN_KERNEL void taps_first(Span<const float> w3, Span<float> to, int64_t v) {
  const int64_t at = global_index();
  if (at < 9 * v * v) to[at] = w3[at % (v * v) * 9 + at / (v * v)];
}

// product [9, D_g, D] as [D_g', 9, D'].
NLRCNN_KERNEL void pack_values(Span<const float> product, Span<float> to, ValueWeights s) {
  const int64_t at = global_index();
  if (at >= s.padded_values * 9 * s.padded_channels) return;
  const int64_t c = at % s.padded_channels, tap = at / s.padded_channels % 9, o = at / s.padded_channels / 9;
  const bool inside = c < s.channels && o < s.values;
  to[at] = inside ? product[(tap * s.values + o) * s.channels + c] : 0.0f;
}

// b3 and what b1 becomes on its way through the taps.
NLRCNN_KERNEL void merge_bias(Span<const float> w3, Span<const float> b1, Span<const float> b3,
                              Span<float> to, ValueWeights s) {
  const int64_t o = global_index();
  if (o >= s.padded_values) return;
  double sum = 0;
  if (o < s.values) {
    sum = b3[o];
    for (int tap = 0; tap < 9; ++tap) {
      const double reached = static_cast<double>(s.height - (tap / 3 != 1)) *
                             static_cast<double>(s.width - (tap % 3 != 1)) /
                             static_cast<double>(s.height * s.width);
      for (int64_t i = 0; i < s.values; ++i) sum += reached * w3[(o * s.values + i) * 9 + tap] * b1[i];
    }
  }
  to[o] = static_cast<float>(sum);
}

// One warp for each term. w_f's order is [side, head, channel of the head, place].
template <class T>
NLRCNN_KERNEL void pair_dot(Span<const T> phi, Span<const T> psi, Span<const float> w_f, Embedded e,
                            Span<float> terms) {
  const int64_t term = global_index() / 32, all = 2 * e.heads * e.rows;
  const int lane = thread_index() % 32;
  const bool valid = term < all;
  float sum = 0;
  if (valid) {
    const int64_t k = term % e.rows, head = term / e.rows % e.heads, side = term / e.rows / e.heads;
    const int64_t first = (head * e.rows + k) * e.places * e.width;
    const int64_t weights = (side * e.heads + head) * e.each * e.places;
    for (int64_t i = lane; i < e.each * e.places; i += 32) {
      const int64_t p = i / e.each, f = i % e.each, at = first + p * e.width + f;
      sum += w_f[weights + f * e.places + p] * to_float(side == 0 ? phi[at] : psi[at]);
    }
  }
  sum = warp_sum(sum);
  if (valid && lane == 0) terms[term] = sum;
}

// Where row i's segment begins and how long it is; 0 for rows beyond.
struct Segment {
  int64_t first, length;
};
NLRCNN_DEVICE Segment segment_of(const Attention& a, int64_t row) {
  if (!a.segments) return {0, a.rows};
  if (a.apart) {
    const int64_t s = row / a.per_segment, length = s < a.segment_count ? a.segments[s] : 0;
    return {s * a.per_segment, row % a.per_segment < length && length <= a.per_segment ? length : 0};
  }
  int64_t first = 0;
  for (int64_t s = 0; s < a.segment_count; ++s) {
    const int64_t length = a.segments[s];
    if (row < first + length) return {first, first + length <= a.rows ? length : 0};
    first += length;
  }
  return {row, 0};
}

// acc[r] += Σ_j weights[j, r] g[j] for one column of g; `apart`: rows of several segments, which must not see
// what another segment holds (beyond the segments: anything), not even times 0.
template <class Array>
NLRCNN_DEVICE void add_rows(Array& weights, Span<const float> g, int64_t first, int64_t stride, int count,
                            bool apart, float (&acc)[kRows]) {
  if (apart) {
    for (int j = 0; j < count; ++j) {
      const float v = g[first + j * stride];
      for (int r = 0; r < kRows; ++r) {
        const float w = weights[j * kRows + r];
        acc[r] += w == 0 ? 0.0f : w * v;
      }
    }
    return;
  }
  NLRCNN_UNROLL(8)
  for (int j = 0; j < count; ++j) {
    const float v = g[first + j * stride];
    for (int r = 0; r < kRows; ++r) acc[r] += weights[j * kRows + r] * v;
  }
}

// A block does eight rows of one head: a warp each for scaling and the online softmax of a chunk of logits,
// then all threads, one or more columns of g each, for the product. The eight rows may belong to several
// segments, so chunks run over all rows that any of them sees.
template <class T>
NLRCNN_KERNEL void attend_rows(Attention a, Span<T> y, Faults faults) {
  NLRCNN_SHARED(float, weights, kRows* kChunk);
  NLRCNN_SHARED(float, rescale, kRows);
  NLRCNN_SHARED(float, sums, kRows);
  NLRCNN_SHARED(int64_t, begins, kRows);
  NLRCNN_SHARED(int64_t, ends, kRows);
  const int t = thread_index(), warp = t / 32, lane = t % 32;
  const int64_t head = block_y(), width = a.values / a.heads, padded_values = padded(a.values);
  const int64_t row = int64_t{block_x()} * kRows + warp;
  const bool there = row < a.rows;
  const Segment own = there ? segment_of(a, row) : Segment{0, 0};
  if (lane == 0) {
    begins[warp] = own.first;
    ends[warp] = own.first + own.length;
  }
  if (block_x() == 0 && head == 0 && t == 0 && a.segments) {
    int64_t sum = 0;
    bool wrong = false;
    for (int64_t s = 0; s < a.segment_count; ++s) {
      const int32_t length = a.segments[s];
      wrong = wrong || length < 0 || (a.apart && length > a.per_segment);
      sum += length;
    }
    if (wrong || sum > a.rows) report(faults, Fault::segments, static_cast<int32_t>(sum));
  }
  barrier();
  int64_t from = a.rows, to = 0;
  bool apart = false;
  for (int r = 0; r < kRows; ++r) {
    const int64_t begin = begins[r], end = ends[r];
    if (begin == end) continue;
    apart = apart || (to > 0 && begin != from);
    from = begin < from ? begin : from;
    to = end > to ? end : to;
  }
  float most = float_of(0xff800000u), sum = 0;
  float acc[kColumns][kRows] = {};
  for (int64_t first = from; first < to; first += kChunk) {
    // This warp's row.
    const int64_t base = a.apart ? own.first : 0;
    float values[kChunk / 32];
    float chunk_most = most;
    for (int i = 0; i < kChunk / 32; ++i) {
      const int64_t j = first + i * 32 + lane;
      const bool seen = j >= own.first && j < own.first + own.length;
      float v = 0;
      if (seen) {
        if (a.form == AttentionForm::pair_sums) {
          v = a.logits[head * a.rows + row] + a.logits[(a.heads + head) * a.rows + j];
          v = v > 0 ? v : 0.0f;
        } else {
          v = a.logits[(head * a.rows + row) * a.per_segment + j - base];
        }
        v *= a.scale;
        if (a.form == AttentionForm::softmax)
          chunk_most = v > chunk_most ? v : chunk_most;
        else
          v /= static_cast<float>(own.length);
      }
      values[i] = v;
    }
    float factor = 1;
    if (a.form == AttentionForm::softmax) {
      chunk_most = warp_max(chunk_most);
      factor = most == chunk_most ? 1.0f : expf(most - chunk_most);
      float part = 0;
      for (int i = 0; i < kChunk / 32; ++i) {
        const int64_t j = first + i * 32 + lane;
        const bool seen = j >= own.first && j < own.first + own.length;
        values[i] = seen ? expf(values[i] - chunk_most) : 0.0f;
        part += values[i];
      }
      sum = sum * factor + warp_sum(part);
      most = chunk_most;
    }
    for (int i = 0; i < kChunk / 32; ++i) weights[(i * 32 + lane) * kRows + warp] = values[i];
    if (lane == 0) rescale[warp] = factor;
    barrier();
    const int count = static_cast<int>(to - first < kChunk ? to - first : kChunk);
    NLRCNN_UNROLL(kColumns)
    for (int column = 0; column < kColumns; ++column) {
      const int64_t d = column * kThreads + t;
      if (d >= width) continue;  // not break: unrolled, the sums stay in registers
      for (int r = 0; r < kRows; ++r) acc[column][r] *= rescale[r];
      add_rows(weights, a.g, first * padded_values + head * width + d, padded_values, count, apart,
               acc[column]);
    }
    barrier();
  }
  if (lane == 0) sums[warp] = a.form == AttentionForm::softmax ? sum : 1.0f;
  barrier();
  NLRCNN_UNROLL(kColumns)
  for (int column = 0; column < kColumns; ++column) {
    const int64_t d = column * kThreads + t;
    if (d >= width) continue;
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = int64_t{block_x()} * kRows + r;
      const bool seen = begins[r] != ends[r];
      const float total = sums[r];
      if (at < a.rows)
        y[at * a.values + head * width + d] = from_float<T>(seen ? acc[column][r] / total : 0.0f);
    }
  }
}

}  // namespace

Status window_sums(Stream& stream, DType dtype, const void* x, const Map& map, void* sums) {
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    return launch(stream, "window sums", grid_of(map.n * map.c / Pack<T>::kSize, 128), 128, sum_windows<T>,
                  span<const T>(const_cast<void*>(x), map.n * map.h * map.w * map.c),
                  span<float>(sums, map.n * 9 * map.c), map);
  });
}

Result<MergedValues> merged_values(RunContext& context, const ValueWeights& s) {
  using namespace non_local_roi;
  Stream& stream = stream_of(context);
  const std::string key = "g " + std::to_string(s.height) + ' ' + std::to_string(s.width);
  const int64_t count = s.padded_values * 9 * s.padded_channels, v = s.values;
  auto weight = derived(context, {g3_weight, g1_weight}, key, count * sizeof(float), [&](void* to) -> Status {
    auto taps = allocate_device(9 * v * v * sizeof(float));
    if (!taps.ok()) return taps.status();
    auto product = allocate_device(9 * v * s.channels * sizeof(float));
    if (!product.ok()) return product.status();
    Status status =
        launch(stream, "taps first", grid_of(9 * v * v), kThreads, taps_first,
               span<const float>(context.in[g3_weight]), span<float>(taps.value()->data(), 9 * v * v), v);
    if (!status.ok()) return status;
    Gemm g;
    g.m = 9 * v;
    g.n = s.channels;
    g.k = v;
    g.a = {taps.value()->data(), DType::f32, v};
    g.b = {context.in[g1_weight].data, DType::f32, s.channels};
    g.d = {product.value()->data(), DType::f32, s.channels};
    g.transpose_b = false;
    status = gemm(stream, g);
    if (status.ok())
      status =
          launch(stream, "pack values", grid_of(count), kThreads, pack_values,
                 span<const float>(product.value()->data(), 9 * v * s.channels), span<float>(to, count), s);
    const Status finished = synchronize(stream);  // before the two are freed
    return status.ok() ? finished : status;
  });
  if (!weight.ok()) return weight.status();
  auto bias = derived(
      context, {g3_weight, g1_bias, g3_bias}, key + " bias", s.padded_values * sizeof(float), [&](void* to) {
        return launch(stream, "merge bias", grid_of(s.padded_values), kThreads, merge_bias,
                      span<const float>(context.in[g3_weight]), span<const float>(context.in[g1_bias]),
                      span<const float>(context.in[g3_bias]), span<float>(to, s.padded_values), s);
      });
  if (!bias.ok()) return bias.status();
  return MergedValues{weight.value(), bias.value()};
}

Status pair_terms(Stream& stream, DType dtype, const void* phi, const void* psi, Span<const float> w_f,
                  const Embedded& e, Span<float> terms) {
  const int64_t size = e.heads * e.rows * e.places * e.width;
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    return launch(stream, "pair terms", grid_of(2 * e.heads * e.rows * 32), kThreads, pair_dot<T>,
                  span<const T>(const_cast<void*>(phi), size), span<const T>(const_cast<void*>(psi), size),
                  w_f, e, terms);
  });
}

Status attend(Stream& stream, const Attention& a, DType dtype, void* y, Faults faults) {
  if (a.values / a.heads > kColumns * kThreads)
    return Status::error(Code::unsupported, "Expected at most " + std::to_string(kColumns * kThreads) +
                                                " value channels for each head on CUDA");
  const Grid grid{static_cast<uint32_t>(ceil_div(a.rows, kRows)), static_cast<uint32_t>(a.heads)};
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    return launch(stream, "non_local_roi", grid, kThreads, attend_rows<T>, a, span<T>(y, a.rows * a.values),
                  faults);
  });
}

}  // namespace nlrcnn::cuda
