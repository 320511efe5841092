#pragma once
#include "ops/non_local_roi_gradient.h"

namespace nlrcnn::non_local_roi_gradient {

// All gradients but the conversions of x (to Buffers::x, [K · P, D]), grad_y (to Buffers::y) and dx (from
// Buffers::dx). Math does `product`, `each` (a step for each index), `wide` (for each row and column), the
// window sums and their gradient, and wraps memory as `floats` and `ints`.
template <class Math>
class Steps {
 public:
  Steps(Math& math, const Sizes& s, float* workspace, const Weights& w, const WeightGradients& d,
        const int32_t* segments)
      : math_(math), s_(s), b_(s), w_(w), d_(d), workspace_(workspace), given_(segments) {
    each_ = s.embed / s.heads;
    width_ = s.values / s.heads;
    row_ = s.places() * each_;
    pairs_ = s.pairwise == Pairwise::concatenation;
    embeds_ = s.pairwise != Pairwise::gaussian;
  }

  Status run() {
    const int64_t k = s_.rows;
    if (!embeds_) step(k * s_.places() * s_.channels, Fill<F>{at(b_.dx, k * s_.places() * s_.channels), 0});
    step(k, FindSegments<I>{math_.ints(given_, s_.segments), segments(), given_ != nullptr, s_});
    values_forward();
    for (int64_t head = 0; head < s_.heads; ++head) {
      embed(head);
      attend();
      attend_backward(head);
      embed_backward(head);
    }
    values_backward();
    if (embeds_ && s_.softmax())
      step(s_.embed, Fill<F>{out(d_.psi_bias, s_.embed), 0});  // a softmax ignores it
    return status_;
  }

 private:
  using F = typename Math::Floats;
  using I = typename Math::Ints;

  float* raw(size_t offset) const { return workspace_ + offset; }
  F at(size_t offset, int64_t size) const { return math_.floats(raw(offset), size); }
  F out(float* data, int64_t size) const { return math_.floats(data, size); }
  F in(const float* data, int64_t size) const { return math_.floats(const_cast<float*>(data), size); }
  I segments() const { return math_.ints(reinterpret_cast<int32_t*>(raw(b_.segments)), 2 * s_.rows); }

  template <class Step>
  void step(int64_t count, const Step& body) {
    if (status_.ok() && count > 0) status_ = math_.each(count, body);
  }
  template <class Step>
  void wide(int64_t rows, int64_t width, const Step& body) {
    if (status_.ok() && rows > 0) status_ = math_.wide(rows, width, body);
  }
  void product(const Product& p) {
    if (status_.ok() && p.m > 0 && p.n > 0) status_ = math_.product(p);
  }

  void sum_rows(size_t from, int64_t rows, int64_t width, float* to) {
    const int64_t count = parts_of(rows);
    const F parts = at(b_.parts, 2 * count * width);
    step(count * width, SumParts<F>{at(from, rows * width), parts, rows, width});
    step(width, SumOfParts<F>{parts, out(to, width), count, width});
  }

  // g of all RoIs: the sums S of the windows times the taps with the 1×1 convolution inside them.
  void values_forward() {
    const int64_t v = s_.values, c = s_.channels, k = s_.rows;
    step(v * 9 * v, TapsInside<F>{in(w_.g3_weight, v * v * 9), at(b_.taps, v * 9 * v), v});
    product({.m = v,
             .n = c,
             .k = v,
             .a = raw(b_.taps),
             .lda = 9 * v,
             .b = w_.g1_weight,
             .ldb = c,
             .d = raw(b_.merged),
             .ldd = 9 * c,
             .batch = 9,
             .stride_a = v,
             .stride_b = 0,
             .stride_d = c});
    step(v,
         ValueBias<F>{in(w_.g3_weight, v * v * 9), in(w_.g1_bias, v), in(w_.g3_bias, v), at(b_.bias, v), s_});
    if (status_.ok() && k > 0) status_ = math_.window_sums(s_, raw(b_.x), raw(b_.sums));
    product({.m = k,
             .n = v,
             .k = 9 * c,
             .a = raw(b_.sums),
             .lda = 9 * c,
             .b = raw(b_.merged),
             .ldb = 9 * c,
             .d = raw(b_.g),
             .ldd = v,
             .transpose_b = true});
    wide(k, v, AddBias<F>{at(b_.bias, v), at(b_.g, k * v), v});
  }

  void values_backward() {
    const int64_t v = s_.values, c = s_.channels, k = s_.rows;
    const float* dg = raw(b_.dg);
    sum_rows(b_.dg, k, v, d_.g3_bias);
    product({.m = k,
             .n = 9 * c,
             .k = v,
             .a = dg,
             .lda = v,
             .b = raw(b_.merged),
             .ldb = 9 * c,
             .d = raw(b_.dsums),
             .ldd = 9 * c});
    if (status_.ok() && k > 0) status_ = math_.spread_sums(s_, raw(b_.dsums), raw(b_.dx));
    product({.m = v,
             .n = 9 * c,
             .k = k,
             .a = dg,
             .lda = v,
             .b = raw(b_.sums),
             .ldb = 9 * c,
             .d = raw(b_.dmerged),
             .ldd = 9 * c,
             .transpose_a = true});
    product({.m = v,
             .n = v,
             .k = c,
             .a = raw(b_.dmerged),
             .lda = 9 * c,
             .b = w_.g1_weight,
             .ldb = c,
             .d = raw(b_.dtaps),
             .ldd = 9 * v,
             .transpose_b = true,
             .batch = 9,
             .stride_a = c,
             .stride_b = 0,
             .stride_d = v});
    step(v * v * 9, TapsOutside<F>{at(b_.dtaps, v * 9 * v), in(w_.g1_bias, v), out(d_.g3_bias, v),
                                   out(d_.g3_weight, v * v * 9), s_});
    product({.m = v,
             .n = c,
             .k = 9 * v,
             .a = raw(b_.taps),
             .lda = v,
             .b = raw(b_.dmerged),
             .ldb = c,
             .d = d_.g1_weight,
             .ldd = c,
             .transpose_a = true});
    step(v, InnerBias<F>{in(w_.g3_weight, v * v * 9), out(d_.g3_bias, v), out(d_.g1_bias, v), s_});
  }

  // φ and ψ of one head, [K, P, D_f / heads].
  void embed(int64_t head) {
    const int64_t all = s_.rows * s_.places(), c = s_.channels;
    for (const bool left : {true, false}) {
      float* to = raw(left ? b_.phi : b_.psi);
      if (!embeds_) {
        wide(all, each_, Slice<F>{at(b_.x, all * c), out(to, all * each_), head * each_, each_, c});
        continue;
      }
      const float *weight = left ? w_.phi_weight : w_.psi_weight, *bias = left ? w_.phi_bias : w_.psi_bias;
      product({.m = all,
               .n = each_,
               .k = c,
               .a = raw(b_.x),
               .lda = c,
               .b = weight + head * each_ * c,
               .ldb = c,
               .d = to,
               .ldd = each_,
               .transpose_b = true});
      wide(all, each_, AddBias<F>{in(bias + head * each_, each_), out(to, all * each_), each_});
      if (!pairs_) continue;
      const float* w_f = w_.w_f + ((left ? 0 : s_.heads) + head) * row_;
      float* ordered = raw(b_.pairs) + (left ? 0 : row_);
      step(row_, PairWeights<F>{in(w_f, row_), out(ordered, row_), each_, s_.places(), false});
      product({.m = s_.rows,
               .n = 1,
               .k = row_,
               .a = to,
               .lda = row_,
               .b = ordered,
               .ldb = 1,
               .d = raw(b_.terms) + (left ? 0 : s_.rows),
               .ldd = 1});
    }
  }

  // One batch for each segment that lies apart, else one for all rows.
  Product each_segment(Product p, int64_t a, int64_t b, int64_t d) const {
    p.batch = s_.per_segment > 0 ? s_.rows / s_.per_segment : 0;
    p.stride_a = a * s_.per_segment;
    p.stride_b = b * s_.per_segment;
    p.stride_d = d * s_.per_segment;
    return p;
  }

  F left() const { return at(b_.terms, s_.rows); }
  F right() const { return math_.floats(raw(b_.terms) + s_.rows, s_.rows); }

  // The attention of one head, [keys, queries] of each segment.
  void attend() {
    const int64_t n = s_.per_segment;
    if (!pairs_)
      product(each_segment({.m = n,
                            .n = n,
                            .k = row_,
                            .a = raw(b_.psi),
                            .lda = row_,
                            .b = raw(b_.phi),
                            .ldb = row_,
                            .d = raw(b_.attention),
                            .ldd = n,
                            .transpose_b = true},
                           row_, row_, n));
    step(s_.rows, Attend<F, I>{at(b_.attention, s_.rows * n), left(), right(), segments(), s_});
  }

  void attend_backward(int64_t head) {
    const int64_t n = s_.per_segment, v = s_.values, first = head * width_;
    product(each_segment({.m = n,
                          .n = n,
                          .k = width_,
                          .a = raw(b_.g) + first,
                          .lda = v,
                          .b = raw(b_.y) + first,
                          .ldb = v,
                          .d = raw(b_.grad),
                          .ldd = n,
                          .transpose_b = true},
                         v, v, n));
    product(each_segment({.m = n,
                          .n = width_,
                          .k = n,
                          .a = raw(b_.attention),
                          .lda = n,
                          .b = raw(b_.y) + first,
                          .ldb = v,
                          .d = raw(b_.dg) + first,
                          .ldd = v},
                         n, v, v));
    step(s_.rows, AttendBackward<F, I>{at(b_.attention, s_.rows * n), at(b_.grad, s_.rows * n), left(),
                                       right(), segments(), s_});
    if (pairs_) {
      step(2 * s_.rows, PairSums<F>{at(b_.grad, s_.rows * n), at(b_.dterms, 2 * s_.rows), s_});
      return;
    }
    product(each_segment({.m = n,
                          .n = row_,
                          .k = n,
                          .a = raw(b_.grad),
                          .lda = n,
                          .b = raw(b_.psi),
                          .ldb = row_,
                          .d = raw(b_.dphi),
                          .ldd = row_,
                          .transpose_a = true},
                         n, row_, row_));
    product(each_segment({.m = n,
                          .n = row_,
                          .k = n,
                          .a = raw(b_.grad),
                          .lda = n,
                          .b = raw(b_.phi),
                          .ldb = row_,
                          .d = raw(b_.dpsi),
                          .ldd = row_},
                         n, row_, row_));
  }

  void embed_backward(int64_t head) {
    const int64_t all = s_.rows * s_.places(), c = s_.channels;
    if (!embeds_) {
      wide(all, each_,
           AddSlice<F>{at(b_.dphi, all * each_), at(b_.dpsi, all * each_), at(b_.dx, all * c), head * each_,
                       each_, c});
      return;
    }
    for (const bool left : {true, false}) {
      float* d = raw(left ? b_.dphi : b_.dpsi);
      if (pairs_) {
        const float* terms = raw(b_.dterms) + (left ? 0 : s_.rows);
        float* sums = raw(b_.dpairs) + (left ? 0 : row_);
        product({.m = s_.rows,
                 .n = row_,
                 .k = 1,
                 .a = terms,
                 .lda = 1,
                 .b = raw(b_.pairs) + (left ? 0 : row_),
                 .ldb = row_,
                 .d = d,
                 .ldd = row_});
        product({.m = 1,
                 .n = row_,
                 .k = s_.rows,
                 .a = terms,
                 .lda = s_.rows,
                 .b = raw(left ? b_.phi : b_.psi),
                 .ldb = row_,
                 .d = sums,
                 .ldd = row_});
        float* w_f = d_.w_f + ((left ? 0 : s_.heads) + head) * row_;
        step(row_, PairWeights<F>{out(sums, row_), out(w_f, row_), each_, s_.places(), true});
      }
      const float* weight = (left ? w_.phi_weight : w_.psi_weight) + head * each_ * c;
      float *dweight = (left ? d_.phi_weight : d_.psi_weight) + head * each_ * c,
            *dbias = (left ? d_.phi_bias : d_.psi_bias) + head * each_;
      product({.m = each_,
               .n = c,
               .k = all,
               .a = d,
               .lda = each_,
               .b = raw(b_.x),
               .ldb = c,
               .d = dweight,
               .ldd = c,
               .transpose_a = true});
      sum_rows(left ? b_.dphi : b_.dpsi, all, each_, dbias);
      product({.m = all,
               .n = c,
               .k = each_,
               .a = d,
               .lda = each_,
               .b = weight,
               .ldb = c,
               .d = raw(b_.dx),
               .ldd = c,
               .add = head > 0 || !left});
    }
  }

  Math& math_;
  Sizes s_;
  Buffers b_;
  Weights w_;
  WeightGradients d_;
  float* workspace_;
  const int32_t* given_;
  Status status_;
  int64_t each_, width_, row_;
  bool pairs_, embeds_;
};

}  // namespace nlrcnn::non_local_roi_gradient
