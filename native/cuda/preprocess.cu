#include "ops/preprocess.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

struct Picture {
  int64_t height, width, channels, capacity;
  int64_t out_height, out_width, padded_height, padded_width;
  float mean[3], std[3], largest;
  double at[2];  // percentiles / 100; used where `clip`
  bool clip;
};

NLRCNN_DEVICE bool sized(Picture& p, Span<const Geometry> geometry, Faults faults) {
  if (geometry) {
    const Geometry g = geometry[0];
    p.height = static_cast<int64_t>(g.height);
    p.width = static_cast<int64_t>(g.width);
    p.out_height = static_cast<int64_t>(g.resized_height);
    p.out_width = static_cast<int64_t>(g.resized_width);
  }
  const bool fits = p.height > 0 && p.width > 0 && p.height * p.width * p.channels <= p.capacity &&
                    p.out_height > 0 && p.out_width > 0 && p.out_height <= p.padded_height &&
                    p.out_width <= p.padded_width;
  if (!fits) report(faults, Fault::geometry, static_cast<int32_t>(p.height));
  return fits;
}

// ITU-R 601 luma with Pillow's integer weights; equal channels stay as they are.
template <class T>
NLRCNN_DEVICE T gray_of(Span<const T> pixels, int64_t i) {
  const T r = pixels[3 * i], g = pixels[3 * i + 1], b = pixels[3 * i + 2];
  if constexpr (sizeof(T) < 4)
    return static_cast<T>((uint64_t{19595} * r + uint64_t{38470} * g + uint64_t{7471} * b + 0x8000) >> 16);
  else
    return 0.299f * r + 0.587f * g + 0.114f * b;
}

template <class T>
NLRCNN_DEVICE T gray_pixel(Span<const T> pixels, const Picture& p, int64_t i) {
  return p.channels == 3 ? gray_of(pixels, i) : pixels[i];
}

// How often each gray value occurs.
template <class T>
NLRCNN_KERNEL void histogram(Span<const T> pixels, Span<const Geometry> geometry, Span<int32_t> counts,
                             Faults faults, Picture p) {
  const int64_t i = global_index();
  if (!sized(p, geometry, faults) || i >= p.height * p.width) return;
  atomic_add(counts, static_cast<int64_t>(gray_pixel(pixels, p, i)), 1);
}

// Gray values as keys to sort; what lies beyond the picture comes last.
NLRCNN_KERNEL void gray_keys(Span<const float> pixels, Span<const Geometry> geometry, Span<uint64_t> keys,
                             Faults faults, Picture p, int64_t all) {
  const int64_t i = global_index();
  if (i >= all) return;
  const bool inside = sized(p, geometry, faults) && i < p.height * p.width;
  keys[i] = inside ? 0xffffffffu - falling_key(gray_pixel(pixels, p, i)) : uint64_t{1} << 32;
}

// The value of a rank among sorted keys or counts.
NLRCNN_DEVICE double ranked(Span<const uint64_t> sorted, Span<const int32_t> counts, int64_t rank) {
  if (sorted) return value_of_key(0xffffffffu - static_cast<uint32_t>(sorted[rank]));
  int64_t v = 0;
  for (int64_t seen = counts[0]; seen <= rank; seen += counts[v]) ++v;
  return static_cast<double>(v);
}

// numpy.percentile, linear, of both.
NLRCNN_KERNEL void percentiles(Span<const uint64_t> sorted, Span<const int32_t> counts,
                               Span<const Geometry> geometry, Span<double> out, Faults faults, Picture p) {
  if (thread_index() > 1 || !sized(p, geometry, faults)) return;
  const int64_t n = p.height * p.width;
  const double at = p.at[thread_index()] * static_cast<double>(n - 1);
  const int64_t low = static_cast<int64_t>(at), high = low + 1 < n ? low + 1 : n - 1;
  const double a = ranked(sorted, counts, low), b = ranked(sorted, counts, high);
  out[thread_index()] = a + (b - a) * (at - static_cast<double>(low));
}

NLRCNN_HD inline float normalised(double pixel, const Picture& p, double low, double high, int channel) {
  float v = static_cast<float>(pixel) / p.largest;
  if (p.clip) {
    const double span = high - low, above = pixel - low, share = above / span;
    v = span > 0 ? static_cast<float>(share < 0 ? 0.0 : share > 1 ? 1.0 : share) : above > 0 ? 1.0f : 0.0f;
  }
  return (v - p.mean[channel]) / p.std[channel];
}

// torch's upsample_bilinear2d without align_corners: two neighbours and the weight of the second.
struct Source {
  int64_t low, high;
  float weight;
};
NLRCNN_HD inline Source source(int64_t at, int64_t in, int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  float from = scale * (static_cast<float>(at) + 0.5f) - 0.5f;
  from = from > 0 ? from : 0.0f;
  const int64_t low = static_cast<int64_t>(from) < in - 1 ? static_cast<int64_t>(from) : in - 1;
  const float rest = from - static_cast<float>(low);
  return {low, low + 1 < in ? low + 1 : in - 1, rest < 0 ? 0.0f : rest > 1 ? 1.0f : rest};
}

// One thread for each place of the padded picture: [H, W, 8] with five channels of zeros.
template <class P, class T>
NLRCNN_KERNEL void resize(Span<const P> pixels, Span<const Geometry> geometry, Span<const double> range,
                          Span<T> out, Faults faults, Picture p) {
  const int64_t i = global_index();
  if (i >= p.padded_height * p.padded_width || !sized(p, geometry, faults)) return;
  const int64_t y = i / p.padded_width, x = i % p.padded_width;
  float values[3] = {};
  if (y < p.out_height && x < p.out_width) {
    const Source sy = source(y, p.height, p.out_height), sx = source(x, p.width, p.out_width);
    const double low = p.clip ? range[0] : 0.0, high = p.clip ? range[1] : 0.0;
    const int64_t corners[4] = {sy.low * p.width + sx.low, sy.low * p.width + sx.high,
                                sy.high * p.width + sx.low, sy.high * p.width + sx.high};
    for (int c = 0; c < 3; ++c) {
      float v[4];
      for (int k = 0; k < 4; ++k) {
        const double pixel =
            p.clip ? static_cast<double>(gray_pixel(pixels, p, corners[k]))
                   : static_cast<double>(pixels[corners[k] * p.channels + (p.channels == 3 ? c : 0)]);
        if (sizeof(P) == 4 && !(pixel - pixel == 0))
          report(faults, Fault::pixels, static_cast<int32_t>(corners[k]));
        v[k] = normalised(pixel, p, low, high, c);
      }
      const float above = (1 - sx.weight) * v[0] + sx.weight * v[1],
                  below = (1 - sx.weight) * v[2] + sx.weight * v[3];
      values[c] = (1 - sy.weight) * above + sy.weight * below;
    }
  }
  for (int first = 0; first < kBlock; first += Pack<T>::kSize) {
    Pack<T> pack;
    for (int k = 0; k < Pack<T>::kSize; ++k)
      pack.values[k] = from_float<T>(first + k < 3 ? values[first + k] : 0.0f);
    store_pack(out, i * kBlock + first, pack);
  }
}

class Preprocess : public Kernel {
 public:
  explicit Preprocess(const OpCall& call) : call_(call), pixels_(call.in[0].dtype) {}

  Status init() {
    preprocess::Settings s;
    if (Status status = preprocess::read_settings(call_, &s); !status.ok()) return status;
    const Shape& in = call_.in[0].shape;
    p_ = {in[0],
          in[1],
          in[2],
          element_count(in),
          s.output[0],
          s.output[1],
          s.padded[0],
          s.padded[1],
          {},
          {},
          pixels_ == DType::u8    ? 255.0f
          : pixels_ == DType::u16 ? 65535.0f
                                  : 1.0f,
          {},
          !s.percentiles.empty()};
    for (int c = 0; c < 3; ++c) {
      p_.mean[c] = s.mean[c];
      p_.std[c] = s.std[c];
    }
    for (int i = 0; i < 2 && p_.clip; ++i) p_.at[i] = s.percentiles[i] / 100;
    values_ = in[0] * in[1];
    if (!p_.clip) return {};
    range_ = layout_.take(2 * sizeof(double));
    if (pixels_ == DType::f32) {
      keys_ = layout_.take(values_ * sizeof(uint64_t));
      sorted_ = layout_.take(values_ * sizeof(uint64_t));
      sort_ = layout_.take(sort_workspace_bytes(values_));
    } else {
      counts_ = layout_.take(sizeof(int32_t) << 16);
    }
    return {};
  }

  size_t workspace_bytes() const override { return layout_.bytes(); }

  Status run(RunContext& context) override {
    if (pixels_ == DType::u8) return run_typed<uint8_t>(context);
    if (pixels_ == DType::u16) return run_typed<uint16_t>(context);
    return run_typed<float>(context);
  }

 private:
  template <class P>
  Status run_typed(RunContext& context) {
    Stream& stream = stream_of(context);
    char* workspace = static_cast<char*>(context.workspace);
    const Span<const P> pixels = span<const P>(context.in[0].data, p_.capacity);
    const Span<const Geometry> geometry = span<const Geometry>(context.in[1].data, 1);
    const Faults found = faults(context);
    Span<double> range;
    if (p_.clip) {
      range = span<double>(workspace + range_, 2);
      Span<uint64_t> sorted;
      Span<int32_t> counts;
      Status status;
      if constexpr (sizeof(P) == 4) {
        Span<uint64_t> keys = span<uint64_t>(workspace + keys_, values_);
        sorted = span<uint64_t>(workspace + sorted_, values_);
        status = launch(stream, "gray_keys", grid_of(values_), kThreads, gray_keys, pixels, geometry, keys,
                        found, p_, values_);
        if (status.ok())
          status = sort_keys(stream, keys.data, sorted.data, values_, 0, 33, workspace + sort_);
      } else {
        counts = span<int32_t>(workspace + counts_, 1 << 16);
        status = fill_bytes(stream, counts.data, 0, sizeof(int32_t) << 16);
        if (status.ok())
          status = launch(stream, "histogram", grid_of(values_), kThreads, histogram<P>, pixels, geometry,
                          counts, found, p_);
      }
      if (status.ok())
        status =
            launch(stream, "percentiles", {1}, 32, percentiles, sorted, counts, geometry, range, found, p_);
      if (!status.ok()) return status;
    }
    return with_type(call_.target.compute, [&](auto type) {
      using T = decltype(type);
      return launch(stream, "preprocess", grid_of(p_.padded_height * p_.padded_width), kThreads, resize<P, T>,
                    pixels, geometry, range, span<T>(context.out[0]), found, p_);
    });
  }

  OpCall call_;
  DType pixels_;
  Picture p_{};
  int64_t values_ = 0;  // most pixels of a picture
  Layouter layout_;
  size_t range_ = 0, keys_ = 0, sorted_ = 0, sort_ = 0, counts_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_preprocess(const OpCall& call, Stream&) {
  return made(std::make_unique<Preprocess>(call));
}

}  // namespace nlrcnn::cuda
