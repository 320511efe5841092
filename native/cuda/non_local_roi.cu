#include "ops/non_local_roi.h"

#include "cuda/attention.h"

namespace nlrcnn::cuda {
namespace {

using namespace non_local_roi;

// phi and psi [D_f, D] as [2 · heads, F', D'], F' the channels of a head rounded up, so that one batched
// product makes [2 · heads, K · H · W, F']: each head's φ and ψ in one piece.
template <class T>
NLRCNN_KERNEL void pack_embedding(Span<const float> phi, Span<const float> psi, Span<T> to, int64_t heads,
                                  int64_t each, int64_t padded_each, int64_t channels,
                                  int64_t padded_channels) {
  const int64_t at = global_index();
  if (at >= 2 * heads * padded_each * padded_channels) return;
  const int64_t c = at % padded_channels, f = at / padded_channels % padded_each,
                head = at / padded_channels / padded_each;
  float v = 0;
  if (c < channels && f < each) {
    const int64_t row = (head % heads) * each + f;
    v = head < heads ? phi[row * channels + c] : psi[row * channels + c];
  }
  to[at] = from_float<T>(v);
}

template <class T>
NLRCNN_KERNEL void pack_embedding_bias(Span<const float> phi, Span<const float> psi, Span<T> to,
                                       int64_t heads, int64_t each, int64_t padded_each) {
  const int64_t at = global_index();
  if (at >= 2 * heads * padded_each) return;
  const int64_t f = at % padded_each, head = at / padded_each, row = (head % heads) * each + f;
  to[at] = from_float<T>(f >= each ? 0.0f : head < heads ? phi[row] : psi[row]);
}

// x [K · H · W, D'] as [heads, K · H · W, F']: the heads of the Gaussian form.
template <class T>
NLRCNN_KERNEL void split_heads(Span<const T> x, Span<T> to, int64_t places, int64_t heads, int64_t each,
                               int64_t padded_each, int64_t padded_channels) {
  const int64_t at = global_index();
  if (at >= heads * places * padded_each) return;
  const int64_t f = at % padded_each, p = at / padded_each % places, head = at / padded_each / places;
  to[at] = f < each ? x[p * padded_channels + head * each + f] : from_float<T>(0.0f);
}

class NonLocalRoi : public Kernel {
 public:
  explicit NonLocalRoi(const OpCall& call) : call_(call), x_(call.in[x].shape), dtype_(call.target.compute) {}

  Status init() {
    if (Status s = read_settings(call_, &settings_); !s.ok()) return s;
    const bool gaussian = settings_.pairwise == Pairwise::gaussian;
    const bool pairs = settings_.pairwise == Pairwise::concatenation;
    heads_ = settings_.heads;
    places_ = x_.h * x_.w;
    values_ = call_.out[0].shape[1];
    embed_ = gaussian ? call_.in[x].shape[1] : call_.in[phi_weight].shape[0];
    each_ = embed_ / heads_;
    whole_x_ = gaussian && heads_ == 1;
    width_ = whole_x_ ? x_.c : padded(each_);
    // RoIs that see each other: with rows_per_segment the attention of each image is a product of its own.
    segments_ = call_.has(segments) ? call_.in[segments].shape[0] : 1;
    rows_ = settings_.rows_per_segment > 0 ? settings_.rows_per_segment : x_.n;
    const size_t size = dtype_size(dtype_);
    if (!whole_x_) embedded_ = layout_.take((gaussian ? 1 : 2) * heads_ * x_.n * places_ * width_ * size);
    sums_ = layout_.take(x_.n * 9 * x_.c * sizeof(float));
    g_ = layout_.take(x_.n * padded(values_) * sizeof(float));
    logits_ = layout_.take(pairs ? 2 * heads_ * x_.n * sizeof(float) : heads_ * x_.n * rows_ * sizeof(float));
    return {};
  }
  size_t workspace_bytes() const override { return layout_.bytes(); }

  Status run(RunContext& context) override {
    if (x_.n == 0) return {};
    return with_type(dtype_, [&](auto type) { return run_typed<decltype(type)>(context); });
  }

 private:
  template <class T>
  Status run_typed(RunContext& context) {
    Stream& stream = stream_of(context);
    char* w = static_cast<char*>(context.workspace);
    const auto in = span<const T>(context.in[x]);
    if (Status s = gather_values(context); !s.ok()) return s;
    T *phi = const_cast<T*>(in.data), *psi = phi;
    if (!whole_x_) {
      phi = psi = reinterpret_cast<T*>(w + embedded_);
      if (settings_.pairwise == Pairwise::gaussian) {
        const Status s = launch(stream, "split heads", grid_of(heads_ * x_.n * places_ * width_), kThreads,
                                split_heads<T>, in, span<T>(phi, heads_ * x_.n * places_ * width_),
                                x_.n * places_, heads_, each_, width_, x_.c);
        if (!s.ok()) return s;
      } else {
        psi = phi + heads_ * x_.n * places_ * width_;
        if (Status s = embed<T>(context, phi); !s.ok()) return s;
      }
    }
    Attention a;
    a.rows = x_.n;
    a.heads = heads_;
    a.values = values_;
    a.per_segment = rows_;
    a.segments = span<const int32_t>(context.in[segments]);
    a.segment_count = segments_;
    a.apart = settings_.rows_per_segment > 0;
    a.g = span<const float>(w + g_, x_.n * padded(values_));
    const double size = double(each_) * double(places_);
    a.scale = static_cast<float>(settings_.rsqrt ? 1 / std::sqrt(size) : 1.0);
    a.form = settings_.pairwise == Pairwise::dot_product     ? AttentionForm::dot_product
             : settings_.pairwise == Pairwise::concatenation ? AttentionForm::pair_sums
                                                             : AttentionForm::softmax;
    const int64_t inner = places_ * width_;
    if (a.form == AttentionForm::pair_sums) {
      a.logits = span<float>(w + logits_, 2 * heads_ * x_.n);
      const Status s =
          pair_terms(stream, dtype_, phi, psi, span<const float>(context.in[w_f]),
                     {x_.n, heads_, each_, width_, places_}, span<float>(w + logits_, 2 * heads_ * x_.n));
      if (!s.ok()) return s;
    } else {
      a.logits = span<float>(w + logits_, heads_ * x_.n * rows_);
      Gemm e;
      e.batch = heads_ * (x_.n / rows_);
      e.m = e.n = rows_;
      e.k = inner;
      e.a = {phi, dtype_, inner, rows_ * inner};
      e.b = {psi, dtype_, inner, rows_ * inner};
      e.d = {w + logits_, DType::f32, rows_, rows_ * rows_};
      e.tf32 = call_.target.tf32;
      if (Status s = gemm(stream, e); !s.ok()) return s;
    }
    return attend(stream, a, dtype_, context.out[0].data, faults(context));
  }

  template <class T>
  Status embed(RunContext& context, T* to) {
    Stream& stream = stream_of(context);
    const int64_t batch = 2 * heads_, count = batch * width_ * x_.c;
    const std::string key = std::string("embedding ") + dtype_name(dtype_) + ' ' + std::to_string(heads_);
    auto weight = derived(context, {phi_weight, psi_weight}, key, count * sizeof(T), [&](void* data) {
      return launch(stream, "pack embedding", grid_of(count), kThreads, pack_embedding<T>,
                    span<const float>(context.in[phi_weight]), span<const float>(context.in[psi_weight]),
                    span<T>(data, count), heads_, each_, width_, call_.in[x].shape[1], x_.c);
    });
    if (!weight.ok()) return weight.status();
    auto bias = derived(context, {phi_bias, psi_bias}, key, batch * width_ * sizeof(T), [&](void* data) {
      return launch(stream, "pack embedding bias", grid_of(batch * width_), kThreads, pack_embedding_bias<T>,
                    span<const float>(context.in[phi_bias]), span<const float>(context.in[psi_bias]),
                    span<T>(data, batch * width_), heads_, each_, width_);
    });
    if (!bias.ok()) return bias.status();
    Gemm g;
    g.batch = batch;
    g.m = x_.n * places_;
    g.n = width_;
    g.k = x_.c;
    g.a = {context.in[x].data, dtype_, x_.c, 0};
    g.b = {weight.value(), dtype_, x_.c, width_ * x_.c};
    g.d = {to, dtype_, width_, g.m * width_};
    g.bias = bias.value();
    g.bias_stride = width_;
    g.tf32 = call_.target.tf32;
    return gemm(stream, g);
  }

  // g of all RoIs by identity 1, with the 1×1 convolution merged into the 3×3's taps (both are linear).
  // In float32, as one sum stands for many places: a product of 10-bit factors costs next to nothing here.
  Status gather_values(RunContext& context) {
    Stream& stream = stream_of(context);
    char* w = static_cast<char*>(context.workspace);
    if (Status s = window_sums(stream, dtype_, context.in[x].data, x_, w + sums_); !s.ok()) return s;
    const ValueWeights weights{values_, padded(values_), call_.in[x].shape[1], x_.c, x_.h, x_.w};
    auto merged = merged_values(context, weights);
    if (!merged.ok()) return merged.status();
    Gemm g;
    g.m = x_.n;
    g.n = weights.padded_values;
    g.k = 9 * x_.c;
    g.a = {w + sums_, DType::f32, g.k};
    g.b = {merged.value().weight, DType::f32, g.k};
    g.d = {w + g_, DType::f32, g.n};
    g.bias = merged.value().bias;
    g.tf32 = call_.target.tf32 || dtype_ != DType::f32;
    return gemm(stream, g);
  }

  OpCall call_;
  Map x_;
  DType dtype_;
  non_local_roi::Settings settings_{};
  int64_t heads_ = 1, places_ = 0, values_ = 0, embed_ = 0, each_ = 0, width_ = 0, segments_ = 1, rows_ = 0;
  bool whole_x_ = false;
  Layouter layout_;
  size_t embedded_ = 0, sums_ = 0, g_ = 0, logits_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_non_local_roi(const OpCall& call, Stream&) {
  return made(std::make_unique<NonLocalRoi>(call));
}

}  // namespace nlrcnn::cuda
