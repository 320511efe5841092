#include "cpu/norm.h"

#include <algorithm>

#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

using norm::Coefficient;
using norm::Sums;

template <int B>
struct Doubles {
  typedef double Type __attribute__((vector_size(8 * B)));
};

// Of each lane: the sum of x and of its square, or where `grad` is given of grad and grad · (x - mean).
template <int B>
NLRCNN_INLINE void accumulate(const float* x, const float* grad, const float* y, const Coefficient* c,
                              int64_t places, Sums* to) {
  using V = LanesOf<B>;
  using D = typename Doubles<B>::Type;
  D first{}, second{}, mean{};
  for (int i = 0; i < B && grad; ++i) mean[i] = c[i].mean;
  for (int64_t p = 0; p < places; ++p) {
    const D v = __builtin_convertvector(*reinterpret_cast<const V*>(x + p * B), D);
    if (grad) {
      V g = *reinterpret_cast<const V*>(grad + p * B);
      if (y) g = *reinterpret_cast<const V*>(y + p * B) > V{} ? g : V{};
      const D d = __builtin_convertvector(g, D);
      first += d;
      second += d * (v - mean);
    } else {
      first += v;
      second += v * v;
    }
  }
  for (int i = 0; i < B; ++i) to[i] = {first[i], second[i]};
}

NLRCNN_MULTIVERSION void accumulate_chunk(const float* x, const float* grad, const float* y,
                                          const Coefficient* c, int64_t places, int block, Sums* to) {
  block == 16 ? accumulate<16>(x, grad, y, c, places, to) : accumulate<8>(x, grad, y, c, places, to);
}

template <int B>
struct Lanewise {
  LanesOf<B> mean, factor, offset, slope;
  NLRCNN_INLINE explicit Lanewise(const Coefficient* c) {
    for (int i = 0; i < B; ++i) {
      mean[i] = c[i].mean;
      factor[i] = c[i].factor;
      offset[i] = c[i].offset;
      slope[i] = c[i].slope;
    }
  }
};

template <int B>
NLRCNN_INLINE void apply(const float* x, const float* residual, const Coefficient* c, bool relu,
                         int64_t places, float* out) {
  using V = LanesOf<B>;
  const Lanewise<B> l(c);
  for (int64_t p = 0; p < places * B; p += B) {
    V v = (*reinterpret_cast<const V*>(x + p) - l.mean) * l.factor + l.offset;
    if (residual) v += *reinterpret_cast<const V*>(residual + p);
    if (relu) v = v < V{} ? V{} : v;
    *reinterpret_cast<V*>(out + p) = v;
  }
}

NLRCNN_MULTIVERSION void apply_chunk(const float* x, const float* residual, const Coefficient* c, bool relu,
                                     int64_t places, int block, float* out) {
  block == 16 ? apply<16>(x, residual, c, relu, places, out) : apply<8>(x, residual, c, relu, places, out);
}

// masked: where to write the gradient behind the ReLU, or null.
template <int B>
NLRCNN_INLINE void apply_back(const float* x, const float* grad, const float* y, const Coefficient* c,
                              int64_t places, float* dx, float* masked) {
  using V = LanesOf<B>;
  const Lanewise<B> l(c);
  for (int64_t p = 0; p < places * B; p += B) {
    V g = *reinterpret_cast<const V*>(grad + p);
    if (y) g = *reinterpret_cast<const V*>(y + p) > V{} ? g : V{};
    if (masked) *reinterpret_cast<V*>(masked + p) = g;
    *reinterpret_cast<V*>(dx + p) =
        g * l.factor + (*reinterpret_cast<const V*>(x + p) - l.mean) * l.slope + l.offset;
  }
}

NLRCNN_MULTIVERSION void apply_back_chunk(const float* x, const float* grad, const float* y,
                                          const Coefficient* c, int64_t places, int block, float* dx,
                                          float* masked) {
  block == 16 ? apply_back<16>(x, grad, y, c, places, dx, masked)
              : apply_back<8>(x, grad, y, c, places, dx, masked);
}

// Each chunk of each plane: body(plane, chunk, first value, places).
template <class Body>
void each_chunk(const Planes& p, const Body& body) {
  const int64_t chunks = p.chunks();
#pragma omp parallel for
  for (int64_t i = 0; i < p.count() * chunks; ++i) {
    const int64_t plane = i / chunks, first = i % chunks * Planes::kPlaces;
    body(plane, i % chunks, (plane * p.sizes.places + first) * p.block,
         std::min(Planes::kPlaces, p.sizes.places - first));
  }
}

// What the workspace holds.
struct Workspace {
  Sums *partials, *sums;
  Coefficient* coefficients;

  Workspace(const Planes& p, void* data) {
    partials = static_cast<Sums*>(data);
    sums = partials + p.count() * p.chunks() * p.block;
    coefficients = reinterpret_cast<Coefficient*>(sums + p.count() * p.block);
  }
  static size_t bytes(const Planes& p) {
    return p.count() * (p.chunks() + 1) * p.block * sizeof(Sums) +
           p.sizes.coefficients() * sizeof(Coefficient);
  }
  // The coefficients of a plane's channels.
  Coefficient* of(const Planes& p, int64_t plane) const {
    return coefficients + p.sizes.coefficient(plane / p.blocks(), plane % p.blocks() * p.block);
  }
};

// The sums of each plane's chunks in order.
void combine(const Planes& p, const Workspace& w) {
#pragma omp parallel for
  for (int64_t plane = 0; plane < p.count(); ++plane)
    for (int lane = 0; lane < p.block; ++lane) {
      Sums sum{};
      for (int64_t chunk = 0; chunk < p.chunks(); ++chunk) {
        const Sums& part = w.partials[(plane * p.chunks() + chunk) * p.block + lane];
        sum.first += part.first;
        sum.second += part.second;
      }
      w.sums[plane * p.block + lane] = sum;
    }
}

}  // namespace

NormForward::NormForward(const OpCall& call, int block, size_t residual, size_t running)
    : planes_{norm::sizes_of(call, call.in[0].shape, block), block},
      residual_(residual),
      running_(running),
      eps_(static_cast<float>(call.attrs.number("eps", 1e-5))),
      momentum_(static_cast<float>(call.attrs.number("momentum", 0.1))),
      relu_(call.attrs.flag("relu")) {}

size_t NormForward::workspace_bytes() const {
  return Workspace::bytes(planes_);
}

Status NormForward::run(RunContext& context) {
  const Planes& p = planes_;
  const Workspace w(p, context.workspace);
  const float *x = context.in[0].as<float>(), *residual = context.in[residual_].as<float>();
  float* y = context.out[0].as<float>();
  each_chunk(p, [&](int64_t plane, int64_t chunk, int64_t at, int64_t places) {
    accumulate_chunk(x + at, nullptr, nullptr, nullptr, places, p.block,
                     w.partials + (plane * p.chunks() + chunk) * p.block);
  });
  combine(p, w);
  std::fill_n(w.coefficients, p.sizes.coefficients(), Coefficient{});
  const norm::Forward<const float*, const Sums*, Coefficient*, float*> forward{
      p.sizes,
      w.sums,
      context.in[1].as<float>(),
      context.in[2].as<float>(),
      running_ ? context.in[running_].as<float>() : nullptr,
      running_ ? context.in[running_ + 1].as<float>() : nullptr,
      context.out[1].as<float>(),
      context.out[2].as<float>(),
      w.coefficients,
      eps_,
      momentum_};
  for (int64_t set = 0; set < p.sizes.sets(); ++set) forward.finish(set, 0);
  each_chunk(p, [&](int64_t plane, int64_t, int64_t at, int64_t places) {
    apply_chunk(x + at, residual ? residual + at : nullptr, w.of(p, plane), relu_, places, p.block, y + at);
  });
  if (running_)
    for (size_t i : {running_, running_ + 1}) context.written(i);
  return {};
}

NormBackward::NormBackward(const OpCall& call, int block)
    : planes_{norm::sizes_of(call, call.in[1].shape, block), block} {}

size_t NormBackward::workspace_bytes() const {
  return Workspace::bytes(planes_);
}

Status NormBackward::run(RunContext& context) {
  const Planes& p = planes_;
  const norm::Sizes& s = p.sizes;
  const Workspace w(p, context.workspace);
  const float *grad = context.in[0].as<float>(), *x = context.in[1].as<float>(),
              *y = context.in[2].as<float>(), *mean = context.in[4].as<float>();
  float *dx = context.out[0].as<float>(),
        *masked = context.out.size() > 3 ? context.out[3].as<float>() : nullptr;
  std::fill_n(w.coefficients, s.coefficients(), Coefficient{});
  for (int64_t n = 0; n < (s.groups ? s.images : 1); ++n)
    for (int64_t c = 0; c < s.channels; ++c) w.coefficients[s.coefficient(n, c)].mean = mean[s.set_of(n, c)];
  each_chunk(p, [&](int64_t plane, int64_t chunk, int64_t at, int64_t places) {
    accumulate_chunk(x + at, grad + at, y ? y + at : nullptr, w.of(p, plane), places, p.block,
                     w.partials + (plane * p.chunks() + chunk) * p.block);
  });
  combine(p, w);
  const norm::Backward<const float*, const Sums*, Coefficient*, float*> backward{s,
                                                                                 w.sums,
                                                                                 context.in[3].as<float>(),
                                                                                 mean,
                                                                                 context.in[5].as<float>(),
                                                                                 context.out[1].as<float>(),
                                                                                 context.out[2].as<float>(),
                                                                                 w.coefficients};
  for (int64_t set = 0; set < s.sets(); ++set) backward.finish(set);
  for (int64_t c = 0; c < s.channels; ++c) backward.finish_weight(c);
  each_chunk(p, [&](int64_t plane, int64_t, int64_t at, int64_t places) {
    apply_back_chunk(x + at, grad + at, y ? y + at : nullptr, w.of(p, plane), places, p.block, dx + at,
                     masked ? masked + at : nullptr);
  });
  return {};
}

}  // namespace nlrcnn::cpu
