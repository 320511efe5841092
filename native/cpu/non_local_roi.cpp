#include "ops/non_local_roi.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"
#include "ops/math.h"

namespace nlrcnn::cpu {
namespace {

using namespace non_local_roi;

// RoIs whose attention is held at once.
constexpr int64_t kAttentionRows = 1024;

// The nine window sums of identity 1, out[tap * stride + channel]: of all places that the tap reaches inside
// the RoI, which is all of them less a row and a column at the border.
template <int B>
NLRCNN_INLINE void sums_of(const float* x, int64_t height, int64_t width, LanesOf<B>* out) {
  using V = LanesOf<B>;
  V top{}, bottom{}, left{}, right{}, total{};
  const auto* places = reinterpret_cast<const V*>(x);
  for (int64_t r = 0; r < height; ++r) {
    const V* row = places + r * width;
    V sum{};
    for (int64_t c = 0; c < width; ++c) sum += row[c];
    if (r == 0) top = sum;
    if (r == height - 1) bottom = sum;
    left += row[0];
    right += row[width - 1];
    total += sum;
  }
  const V* last = places + (height - 1) * width;
  // Tap (-1, ·) reaches all rows but the last, tap (1, ·) all but the first.
  const V rows[3] = {bottom, V{}, top}, columns[3] = {right, V{}, left};
  const V corners[3][3] = {
      {last[width - 1], V{}, last[0]}, {V{}, V{}, V{}}, {places[width - 1], V{}, places[0]}};
  for (int dy = 0; dy < 3; ++dy)
    for (int dx = 0; dx < 3; ++dx) out[dy * 3 + dx] = total - rows[dy] - columns[dx] + corners[dy][dx];
}

NLRCNN_MULTIVERSION void window_sums(const float* x, int64_t height, int64_t width, int block, int channels,
                                     int64_t stride, float* out) {
  float sums[9 * 16];
  if (block == 16)
    sums_of<16>(x, height, width, reinterpret_cast<LanesOf<16>*>(sums));
  else
    sums_of<8>(x, height, width, reinterpret_cast<LanesOf<8>*>(sums));
  for (int t = 0; t < 9; ++t) std::copy_n(sums + t * block, channels, out + t * stride);
}

NLRCNN_MULTIVERSION void softmax_row(float* row, int64_t n) {
  float lanes[16], most = row[0];
  for (int64_t j = 1; j < n; ++j) most = row[j] > most ? row[j] : most;
  std::fill_n(lanes, 16, 0.0f);
  int64_t j = 0;
  for (; j + 16 <= n; j += 16)
    for (int c = 0; c < 16; ++c) lanes[c] += row[j + c] = exp_poly(row[j + c] - most);
  for (; j < n; ++j) lanes[0] += row[j] = exp_poly(row[j] - most);
  const float inverse = 1.0f / std::accumulate(lanes, lanes + 16, 0.0f);
  for (int64_t i = 0; i < n; ++i) row[i] *= inverse;
}

class NonLocalRoi : public Kernel {
 public:
  NonLocalRoi(const OpCall& call, int block) : call_(call), block_(block), shape_(call.in[x].shape) {
    read_settings(call, &settings_);
    places_ = shape_[2] * shape_[3];
    values_ = call.out[0].shape[1];
    embed_ = settings_.pairwise == Pairwise::gaussian ? shape_[1] : call.in[phi_weight].shape[0];
    // Heads (and w_f) address channels one by one; else padded blocks do as well, as their padding is zero.
    plain_ = settings_.pairwise == Pairwise::concatenation ||
             (settings_.heads > 1 && embed_ / settings_.heads % block);
  }

  Status init() {
    const int64_t rows = shape_[0], padded = (embed_ + block_ - 1) / block_ * block_;
    row_ = (plain_ ? embed_ : padded) * places_;
    if (settings_.pairwise != Pairwise::gaussian) {
      OpCall conv{
          "conv2d", {}, {call_.in[x], call_.in[phi_weight], call_.in[phi_bias], {}, {DType::i32, {1}}},
          {},       {}, call_.target};
      conv.present = {true, true, true, false, true};
      conv.out = {{DType::f32, {rows, embed_, shape_[2], shape_[3]}, Layout::blocked}};
      auto made = make_conv2d(conv, block_);
      if (!made.ok()) return made.status();
      embedding_ = std::move(made.value());
    }
    if (plain_) {
      OpCall reorder{"reorder", {},     {{DType::f32, {rows, embed_, shape_[2], shape_[3]}, Layout::blocked}},
                     {},        {true}, {}};
      reorder.out = {{DType::f32, reorder.in[0].shape, Layout::plain}};
      auto made = make_reorder(reorder, block_);
      if (!made.ok()) return made.status();
      reorder_ = std::move(made.value());
    }
    size_t end = 0;
    const auto take = [&](int64_t floats) {
      const size_t at = end;
      end += (floats * sizeof(float) + 63) / 64 * 64;
      return at;
    };
    const bool embeds = embedding_ != nullptr;
    phi_ = take(embeds ? rows * padded * places_ : 0);
    psi_ = take(embeds ? rows * padded * places_ : 0);
    phi_plain_ = take(plain_ ? rows * row_ : 0);
    psi_plain_ = take(plain_ && embeds ? rows * row_ : 0);
    sums_ = take(rows * 9 * shape_[1]);
    g_ = take(rows * values_);
    attention_ = take(std::min(rows, kAttentionRows) * rows);
    scratch_ = end;
    workspace_ = end + (embeds ? embedding_->workspace_bytes() : 0);
    return {};
  }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(RunContext& context) override {
    std::vector<int64_t> lengths{shape_[0]};
    if (call_.has(segments)) {
      const int32_t* given = context.in[segments].as<int32_t>();
      const int64_t count = call_.in[segments].shape[0];
      if (Status s = check_lengths(given, count, shape_[0], settings_.rows_per_segment); !s.ok()) return s;
      lengths.assign(given, given + count);
    }
    const int64_t apart = settings_.rows_per_segment;
    int64_t rows = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
    float* y = context.out[0].as<float>();
    if (rows == 0) {
      std::fill(y, y + shape_[0] * values_, 0.0f);
      return {};
    }
    if (apart > 0) rows = shape_[0];

    if (Status status = gather_values(context, rows); !status.ok()) return status;
    const float *phi, *psi;
    if (Status status = embed(context, rows, &phi, &psi); !status.ok()) return status;
    int64_t start = 0;
    for (int64_t length : lengths) {
      for (int64_t head = 0; head < settings_.heads; ++head)
        for (int64_t first = 0; first < length; first += kAttentionRows) {
          const Span span{start, length, start + first, std::min(kAttentionRows, length - first), head};
          if (Status status = attend(context, span, phi, psi, y); !status.ok()) return status;
        }
      const int64_t next = apart > 0 ? start + apart : start + length;
      std::fill(y + (start + length) * values_, y + next * values_, 0.0f);
      start = next;
    }
    std::fill(y + start * values_, y + shape_[0] * values_, 0.0f);
    return {};
  }

 private:
  // Rows [first, first + count) of the attention of a segment.
  struct Span {
    int64_t segment, length, first, count, head;
  };

  float* workspace(const RunContext& context, size_t at) const {
    return reinterpret_cast<float*>(static_cast<char*>(context.workspace) + at);
  }

  // g of all RoIs by identity 1, with the 1×1 convolution merged into the 3×3's taps (both are linear).
  Status gather_values(const RunContext& context, int64_t rows) {
    const int64_t channels = shape_[1], blocks = (channels + block_ - 1) / block_;
    const float* in = context.in[x].as<float>();
    float *sums = workspace(context, sums_), *g = workspace(context, g_);
#pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; ++i) {
      const int64_t k = i / blocks, first = i % blocks * block_;
      window_sums(in + i * places_ * block_, shape_[2], shape_[3], block_,
                  static_cast<int>(std::min<int64_t>(block_, channels - first)), channels,
                  sums + k * 9 * channels + first);
    }
    std::vector<Storage*> sources;
    for (size_t i : {g3_weight, g1_weight, g1_bias, g3_bias}) sources.push_back(context.in_storage[i]);
    const std::string key = "g " + std::to_string(shape_[2]) + ' ' + std::to_string(shape_[3]);
    const size_t bytes = (values_ * 9 * channels + values_) * sizeof(float);
    auto merged = derived_weight(sources, key, bytes, [&](float* to) { return merge(context, to); });
    if (!merged.ok()) return merged.status();
    const auto* weight = static_cast<const float*>(merged.value()->data());
    for (int64_t k = 0; k < rows; ++k) std::copy_n(weight + values_ * 9 * channels, values_, g + k * values_);
    return run_gemm({false, true, rows, values_, 9 * channels, sums, 9 * channels, weight, 9 * channels, g,
                     values_, 1, 1});
  }

  // to: [D_g, 9, D] = 1/(HW) Σ_i W₃[·, i, tap] W₁[i, ·], then the bias [D_g].
  Status merge(const RunContext& context, float* to) {
    const int64_t channels = shape_[1], v = values_;
    const float *w1 = context.in[g1_weight].as<float>(), *b1 = context.in[g1_bias].as<float>();
    const float *w3 = context.in[g3_weight].as<float>(), *b3 = context.in[g3_bias].as<float>();
    std::vector<float> taps(9 * v * v);  // [D_g, 9, D_g]
    for (int64_t o = 0; o < v; ++o)
      for (int64_t i = 0; i < v; ++i)
        for (int64_t t = 0; t < 9; ++t) taps[(o * 9 + t) * v + i] = w3[(o * v + i) * 9 + t];
    const float mean = 1.0f / static_cast<float>(places_);
    const int64_t height = shape_[2], width = shape_[3];
    for (int64_t o = 0; o < v; ++o) {
      double bias = b3[o];
      for (int64_t t = 0; t < 9; ++t) {
        const double reached = double(height - (t / 3 != 1)) * double(width - (t % 3 != 1)) * mean;
        for (int64_t i = 0; i < v; ++i) bias += reached * taps[(o * 9 + t) * v + i] * b1[i];
      }
      to[v * 9 * channels + o] = static_cast<float>(bias);
    }
    return run_gemm({false, false, 9 * v, channels, v, taps.data(), v, w1, channels, to, channels, mean});
  }

  Status embed(const RunContext& context, int64_t rows, const float** phi, const float** psi) {
    *phi = *psi = context.in[x].as<float>();
    if (embedding_) {
      *phi = workspace(context, phi_);
      *psi = workspace(context, psi_);
      const int32_t count = static_cast<int32_t>(rows);
      const View count_view{nullptr, const_cast<int32_t*>(&count)};
      for (const bool left : {true, false}) {
        const size_t weight = left ? phi_weight : psi_weight, bias = left ? phi_bias : psi_bias;
        RunContext inner;
        inner.in = {context.in[x], context.in[weight], context.in[bias], {}, count_view};
        inner.in_storage = {nullptr, context.in_storage[weight], context.in_storage[bias], nullptr, nullptr};
        inner.out = {{nullptr, const_cast<float*>(left ? *phi : *psi)}};
        inner.workspace = workspace(context, scratch_);
        if (Status status = embedding_->run(inner); !status.ok()) return status;
      }
    }
    if (!plain_) return {};
    const bool same = *phi == *psi;
    for (const float** part : {phi, psi}) {
      if (part == psi && same) {
        *psi = *phi;
        continue;
      }
      float* to = workspace(context, part == phi ? phi_plain_ : psi_plain_);
      RunContext inner;
      inner.in = {{nullptr, const_cast<float*>(*part)}};
      inner.out = {{nullptr, to}};
      if (Status status = reorder_->run(inner); !status.ok()) return status;
      *part = to;
    }
    return {};
  }

  Status attend(const RunContext& context, const Span& s, const float* phi, const float* psi, float* y) {
    const int64_t n = s.length, heads = settings_.heads;
    const int64_t inner = row_ / heads, width = values_ / heads;
    const bool softmax =
        settings_.pairwise == Pairwise::embedded_gaussian || settings_.pairwise == Pairwise::gaussian;
    const double k = double(embed_ / heads) * double(places_);
    const float scale =
        static_cast<float>((settings_.rsqrt ? 1 / std::sqrt(k) : 1.0) / (softmax ? 1.0 : double(n)));
    float *e = workspace(context, attention_), *g = workspace(context, g_);
    const float *left = phi + s.first * row_ + s.head * inner,
                *right = psi + s.segment * row_ + s.head * inner;
    if (settings_.pairwise == Pairwise::concatenation) {
      if (Status status = pair_sums(context, s, left, right, scale, e); !status.ok()) return status;
    } else {
      const Status status = run_gemm({false, true, s.count, n, inner, left, row_, right, row_, e, n, scale});
      if (!status.ok()) return status;
    }
    if (softmax) {
#pragma omp parallel for
      for (int64_t i = 0; i < s.count; ++i) softmax_row(e + i * n, n);
    }
    return run_gemm({false, false, s.count, width, n, e, n, g + s.segment * values_ + s.head * width, values_,
                     y + s.first * values_ + s.head * width, values_});
  }

  // e_ij = scale · ReLU(w_f · [φ(x_i), ψ(x_j)]), which is a sum of a term of i and one of j.
  Status pair_sums(const RunContext& context, const Span& s, const float* left, const float* right,
                   float scale, float* e) {
    const int64_t inner = row_ / settings_.heads;
    const float* w = context.in[w_f].as<float>() + s.head * inner;
    std::vector<float> of_i(s.count), of_j(s.length);
    Status status = run_gemm({false, false, s.count, 1, inner, left, row_, w, 1, of_i.data(), 1});
    if (status.ok())
      status = run_gemm({false, false, s.length, 1, inner, right, row_, w + row_, 1, of_j.data(), 1});
#pragma omp parallel for
    for (int64_t i = 0; i < s.count; ++i)
      for (int64_t j = 0; j < s.length; ++j) e[i * s.length + j] = scale * std::max(of_i[i] + of_j[j], 0.0f);
    return status;
  }

  OpCall call_;
  int block_;
  Shape shape_;
  Settings settings_;
  int64_t places_, values_, embed_, row_ = 0;
  bool plain_;
  std::unique_ptr<Kernel> embedding_, reorder_;
  size_t phi_, psi_, phi_plain_, psi_plain_, sums_, g_, attention_, scratch_, workspace_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_non_local_roi(const OpCall& call, int block) {
  auto kernel = std::make_unique<NonLocalRoi>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
