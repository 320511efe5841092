#include "cuda/norm.h"

namespace nlrcnn::cuda {
namespace {

using norm::Coefficient;
using norm::Sizes;
using norm::Sums;

constexpr int64_t kLeastPlaces = 32, kMostChunks = 256;

enum class Pass : int { values, squares, gradients };

// One thread for a pack of channels of a chunk: Σ x; or Σ (x - mean)²; or Σ g and Σ g · (x - mean), where y
// is given of what a ReLU lets through.
template <class T>
NLRCNN_KERNEL void sum_chunks(Pass pass, Span<const T> x, Span<const T> grad, Span<const T> y,
                              Span<const Coefficient> coefficients, Span<Sums> partials, Sizes s,
                              int64_t chunk, int64_t chunks) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, c = i % s.stored, row = i / s.stored;
  const int64_t n = row / chunks, begin = row % chunks * chunk;
  if (n >= s.images) return;
  const int64_t end = begin + chunk < s.places ? begin + chunk : s.places;
  float mean[kSize] = {};
  double first[kSize] = {}, second[kSize] = {};
  for (int k = 0; k < kSize && pass != Pass::values; ++k)
    mean[k] = coefficients[s.coefficient(n, c + k)].mean;
  for (int64_t p = begin; p < end; ++p) {
    const int64_t at = (n * s.places + p) * s.stored + c;
    const Pack<T> values = load_pack(x, at);
    Pack<T> from{}, behind{};
    if (pass == Pass::gradients) from = load_pack(grad, at);
    if (y) behind = load_pack(y, at);
    for (int k = 0; k < kSize; ++k) {
      const float v = to_float(values.values[k]) - mean[k];
      if (pass == Pass::gradients) {
        const float g = !y || to_float(behind.values[k]) > 0 ? to_float(from.values[k]) : 0.0f;
        first[k] += g;
        second[k] += g * v;
      } else {
        first[k] += v;
        second[k] += v * v;
      }
    }
  }
  for (int k = 0; k < kSize; ++k) partials[row * s.stored + c + k] = {first[k], second[k]};
}

// The chunks of a channel of an image in order; of the pass for squares the second sums alone.
NLRCNN_KERNEL void combine(Span<const Sums> partials, Span<Sums> sums, Sizes s, int64_t chunks, Pass pass) {
  const int64_t i = global_index(), n = i / s.stored, c = i % s.stored;
  if (n >= s.images) return;
  double first = 0, second = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const Sums part = partials[(n * chunks + chunk) * s.stored + c];
    first += part.first;
    second += part.second;
  }
  if (pass == Pass::squares) first = sums[i].first;
  sums[i] = {first, second};
}

// The mean of each set goes to the coefficients of its channels.
NLRCNN_KERNEL void find_means(Span<const Sums> sums, Span<Coefficient> coefficients, Sizes s) {
  const int64_t set = global_index();
  if (set >= s.sets()) return;
  double sum = 0;
  for (int64_t m = 0; m < s.members(); ++m) sum += sums[s.at(s.image(set, m), s.channel(set, m))].first;
  const auto mean = static_cast<float>(s.count() > 0 ? sum / s.count() : 0);
  for (int64_t m = 0; m < (s.groups ? s.members() : 1); ++m)
    coefficients[s.coefficient(s.image(set, m), s.channel(set, m))] = {mean, 0, 0, 0};
}

NLRCNN_KERNEL void take_means(Span<const float> mean, Span<Coefficient> coefficients, Sizes s) {
  const int64_t set = global_index();
  if (set >= s.sets()) return;
  for (int64_t m = 0; m < (s.groups ? s.members() : 1); ++m)
    coefficients[s.coefficient(s.image(set, m), s.channel(set, m))] = {mean[set], 0, 0, 0};
}

using ForwardStep = norm::Forward<Span<const float>, Span<const Sums>, Span<Coefficient>, Span<float>>;
using BackwardStep = norm::Backward<Span<const float>, Span<const Sums>, Span<Coefficient>, Span<float>>;

NLRCNN_KERNEL void finish_forward(ForwardStep step) {
  const int64_t set = global_index();
  if (set >= step.s.sets()) return;
  const int64_t own = step.s.coefficient(step.s.image(set, 0), step.s.channel(set, 0));
  step.finish(set, step.coefficients[own].mean);
}

NLRCNN_KERNEL void finish_backward(BackwardStep step) {
  const int64_t i = global_index();
  if (i < step.s.sets()) step.finish(i);
  if (i < step.s.channels) step.finish_weight(i);
}

template <class T>
NLRCNN_KERNEL void apply(Span<const T> x, Span<const T> residual, Span<const Coefficient> coefficients,
                         bool relu, Span<T> out, Sizes s) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, c = i % s.stored, n = i / s.stored / s.places;
  if (n >= s.images) return;
  Pack<T> pack = load_pack(x, i), other{};
  if (residual) other = load_pack(residual, i);
  for (int k = 0; k < kSize; ++k) {
    const Coefficient own = coefficients[s.coefficient(n, c + k)];
    float v = (to_float(pack.values[k]) - own.mean) * own.factor + own.offset;
    if (residual) v += to_float(other.values[k]);
    pack.values[k] = from_float<T>(relu && v < 0 ? 0.0f : v);
  }
  store_pack(out, i, pack);
}

template <class T>
NLRCNN_KERNEL void apply_back(Span<const T> x, Span<const T> grad, Span<const T> y,
                              Span<const Coefficient> coefficients, Span<T> dx, Span<T> masked, Sizes s) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, c = i % s.stored, n = i / s.stored / s.places;
  if (n >= s.images) return;
  const Pack<T> values = load_pack(x, i);
  Pack<T> g = load_pack(grad, i), behind{}, out;
  if (y) behind = load_pack(y, i);
  for (int k = 0; k < kSize; ++k) {
    const Coefficient own = coefficients[s.coefficient(n, c + k)];
    if (y && !(to_float(behind.values[k]) > 0)) g.values[k] = from_float<T>(0.0f);
    out.values[k] = from_float<T>(to_float(g.values[k]) * own.factor +
                                  (to_float(values.values[k]) - own.mean) * own.slope + own.offset);
  }
  store_pack(dx, i, out);
  if (masked) store_pack(masked, i, g);
}

// Sizes, where things lie, and what launches share.
struct Norm {
  const Sizes& s;
  const NormWorkspace& w;
  Stream& stream;
  Span<Sums> partials;
  Span<Sums> sums;
  Span<Coefficient> coefficients;

  Norm(const Sizes& sizes, const NormWorkspace& workspace, RunContext& context)
      : s(sizes),
        w(workspace),
        stream(stream_of(context)),
        partials(nlrcnn::cuda::span<Sums>(at(context, w.partials), s.images * w.chunks * s.stored)),
        sums(nlrcnn::cuda::span<Sums>(at(context, w.sums), s.images * s.stored)),
        coefficients(nlrcnn::cuda::span<Coefficient>(at(context, w.coefficients), s.coefficients())) {}

  static void* at(RunContext& context, size_t offset) {
    return static_cast<char*>(context.workspace) + offset;
  }

  Status clear() { return fill_bytes(stream, coefficients.data, 0, s.coefficients() * sizeof(Coefficient)); }

  template <class T>
  Status sum(Pass pass, Span<const T> x, Span<const T> grad, Span<const T> y) {
    const Status summed =
        launch(stream, "norm sums", grid_of(s.images * w.chunks * s.stored / Pack<T>::kSize), kThreads,
               sum_chunks<T>, pass, x, grad, y, Span<const Coefficient>(coefficients), partials, s, w.chunk,
               w.chunks);
    if (!summed.ok()) return summed;
    return launch(stream, "norm combine", grid_of(s.images * s.stored), kThreads, combine,
                  Span<const Sums>(partials), sums, s, w.chunks, pass);
  }

  template <class T>
  Grid packs() const {
    return grid_of(s.images * s.places * s.stored / Pack<T>::kSize);
  }
};

}  // namespace

NormWorkspace::NormWorkspace(const Sizes& s) {
  const int64_t most = ceil_div(s.places, kMostChunks);
  chunk = most > kLeastPlaces ? most : kLeastPlaces;
  chunks = ceil_div(s.places, chunk);
  Layouter layouter;
  partials = layouter.take(s.images * chunks * s.stored * sizeof(Sums));
  sums = layouter.take(s.images * s.stored * sizeof(Sums));
  coefficients = layouter.take(s.coefficients() * sizeof(Coefficient));
  bytes = layouter.bytes();
}

NormForward::NormForward(const OpCall& call, size_t residual, size_t running)
    : sizes_(norm::sizes_of(call, call.in[0].shape, kBlock)),
      workspace_(sizes_),
      residual_(residual),
      running_(running),
      eps_(static_cast<float>(call.attrs.number("eps", 1e-5))),
      momentum_(static_cast<float>(call.attrs.number("momentum", 0.1))),
      relu_(call.attrs.flag("relu")),
      dtype_(call.target.compute) {}

Status NormForward::run(RunContext& context) {
  Norm norm(sizes_, workspace_, context);
  const Sizes& s = sizes_;
  const Status status = with_type(dtype_, [&](auto type) -> Status {
    using T = decltype(type);
    const auto x = span<const T>(context.in[0]);
    if (Status c = norm.clear(); !c.ok()) return c;
    if (Status c = norm.sum<T>(Pass::values, x, {}, {}); !c.ok()) return c;
    if (Status c = launch(norm.stream, "norm means", grid_of(s.sets()), kThreads, find_means,
                          Span<const Sums>(norm.sums), norm.coefficients, s);
        !c.ok())
      return c;
    if (Status c = norm.sum<T>(Pass::squares, x, {}, {}); !c.ok()) return c;
    const ForwardStep step{s,
                           norm.sums,
                           span<const float>(context.in[1]),
                           span<const float>(context.in[2]),
                           running_ ? span<float>(context.in[running_]) : Span<float>(),
                           running_ ? span<float>(context.in[running_ + 1]) : Span<float>(),
                           span<float>(context.out[1]),
                           span<float>(context.out[2]),
                           norm.coefficients,
                           eps_,
                           momentum_};
    if (Status c = launch(norm.stream, "norm finish", grid_of(s.sets()), kThreads, finish_forward, step);
        !c.ok())
      return c;
    return launch(norm.stream, "norm apply", norm.packs<T>(), kThreads, apply<T>, x,
                  span<const T>(context.in[residual_]), Span<const Coefficient>(norm.coefficients), relu_,
                  span<T>(context.out[0]), s);
  });
  if (status.ok() && running_)
    for (size_t i : {running_, running_ + 1}) context.written(i);
  return status;
}

NormBackward::NormBackward(const OpCall& call)
    : sizes_(norm::sizes_of(call, call.in[1].shape, kBlock)),
      workspace_(sizes_),
      dtype_(call.target.compute) {}

Status NormBackward::run(RunContext& context) {
  Norm norm(sizes_, workspace_, context);
  const Sizes& s = sizes_;
  return with_type(dtype_, [&](auto type) -> Status {
    using T = decltype(type);
    const auto grad = span<const T>(context.in[0]), x = span<const T>(context.in[1]),
               y = span<const T>(context.in[2]);
    const auto mean = span<const float>(context.in[4]);
    if (Status c = norm.clear(); !c.ok()) return c;
    if (Status c = launch(norm.stream, "norm means", grid_of(s.sets()), kThreads, take_means, mean,
                          norm.coefficients, s);
        !c.ok())
      return c;
    if (Status c = norm.sum<T>(Pass::gradients, x, grad, y); !c.ok()) return c;
    const BackwardStep step{s,
                            norm.sums,
                            span<const float>(context.in[3]),
                            mean,
                            span<const float>(context.in[5]),
                            span<float>(context.out[1]),
                            span<float>(context.out[2]),
                            norm.coefficients};
    const int64_t steps = s.sets() > s.channels ? s.sets() : s.channels;
    if (Status c = launch(norm.stream, "norm finish", grid_of(steps), kThreads, finish_backward, step);
        !c.ok())
      return c;
    return launch(norm.stream, "norm apply", norm.packs<T>(), kThreads, apply_back<T>, x, grad, y,
                  Span<const Coefficient>(norm.coefficients), span<T>(context.out[0]),
                  context.out.size() > 3 ? span<T>(context.out[3]) : Span<T>(), s);
  });
}

}  // namespace nlrcnn::cuda
