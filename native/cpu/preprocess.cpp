#include "ops/preprocess.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

// torch's upsample_bilinear2d without align_corners, float32: two neighbours and the weight of the second.
struct Source {
  std::vector<int32_t> low, high;
  std::vector<float> weight;

  Source(int64_t in, int64_t out) : low(out), high(out), weight(out) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    for (int64_t i = 0; i < out; ++i) {
      const float at = std::max(scale * (static_cast<float>(i) + 0.5f) - 0.5f, 0.0f);
      low[i] = static_cast<int32_t>(std::min<int64_t>(static_cast<int64_t>(at), in - 1));
      high[i] = static_cast<int32_t>(std::min<int64_t>(low[i] + 1, in - 1));
      weight[i] = std::clamp(at - static_cast<float>(low[i]), 0.0f, 1.0f);
    }
  }
};

NLRCNN_MULTIVERSION void resize_row(const float* top, const float* bottom, const int32_t* low,
                                    const int32_t* high, const float* weight, float below, int64_t n,
                                    float* out) {
  for (int64_t x = 0; x < n; ++x) {
    const float right = weight[x], left = 1 - right;
    const float above = left * top[low[x]] + right * top[high[x]],
                under = left * bottom[low[x]] + right * bottom[high[x]];
    out[x] = (1 - below) * above + below * under;
  }
}

class Preprocess : public Kernel {
 public:
  explicit Preprocess(const OpCall& call)
      : in_(call.in[0].shape),
        capacity_(element_count(in_)),
        dtype_(call.in[0].dtype),
        rows_(1, 1),
        columns_(1, 1) {
    preprocess::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    if (const auto* geometry = context.in[1].as<Geometry>()) {
      in_ = {pixels_of(geometry->height), pixels_of(geometry->width), in_[2]};
      settings_.output[0] = pixels_of(geometry->resized_height);
      settings_.output[1] = pixels_of(geometry->resized_width);
      const auto given = static_cast<int64_t>(
          std::min(context.in[0].bytes / dtype_size(dtype_), static_cast<size_t>(capacity_)) / in_[2]);
      if (in_[0] < 1 || in_[1] < 1 || in_[0] > given / in_[1] || settings_.output[0] < 1 ||
          settings_.output[1] < 1 || settings_.output[0] > settings_.padded[0] ||
          settings_.output[1] > settings_.padded[1])
        return Status::error(Code::argument, "Expected geometry that fits the pixels and the padded size");
    }
    rows_ = Source(in_[0], settings_.output[0]);
    columns_ = Source(in_[1], settings_.output[1]);
    switch (dtype_) {
      case DType::u8:
        return run_typed<uint8_t>(context, 255);
      case DType::u16:
        return run_typed<uint16_t>(context, 65535);
      default:
        return run_typed<float>(context, 1);
    }
  }

 private:
  template <class T>
  Status run_typed(RunContext& context, float largest) {
    const T* pixels = context.in[0].as<T>();
    int64_t channels = in_[2];
    if constexpr (sizeof(T) == 4)
      for (int64_t i = 0; i < in_[0] * in_[1] * channels; ++i)
        if (!std::isfinite(pixels[i]))
          return Status::error(Code::image, "Expected finite pixels but received NaN or infinity");
    std::vector<T> gray;
    double low = 0, high = largest;
    if (!settings_.percentiles.empty()) {
      if (channels == 3) {
        gray = to_gray(pixels);
        pixels = gray.data();
        channels = 1;
      }
      low = percentile(pixels, settings_.percentiles[0]);
      high = percentile(pixels, settings_.percentiles[1]);
    }
    const bool clip = !settings_.percentiles.empty();
    const int64_t width = in_[1], padded_width = settings_.padded[1];
    float* out = context.out[0].as<float>();
    const auto value = [&](T pixel, int channel) {
      float v = static_cast<float>(pixel) / largest;
      if (clip) {
        const double span = high - low, above = static_cast<double>(pixel) - low;
        v = span > 0 ? static_cast<float>(std::clamp(above / span, 0.0, 1.0)) : above > 0 ? 1.0f : 0.0f;
      }
      return (v - settings_.mean[channel]) / settings_.std[channel];
    };
    // Each pixel value's result, where there are few of them.
    std::vector<float> table;
    if constexpr (sizeof(T) < 4) {
      table.resize(3 * (size_t{1} << (8 * sizeof(T))));
      for (size_t i = 0; i < table.size(); ++i)
        table[i] = value(static_cast<T>(i / 3), static_cast<int>(i % 3));
    }
    const auto read_row = [&](int64_t y, int c, float* to) {
      const T* row = pixels + y * width * channels + (channels == 3 ? c : 0);
      for (int64_t x = 0; x < width; ++x) {
        if constexpr (sizeof(T) < 4)
          to[x] = table[3 * static_cast<size_t>(row[x * channels]) + c];
        else
          to[x] = value(row[x * channels], c);
      }
    };
#pragma omp parallel
    {
      std::vector<float> top(width), bottom(width);
      int64_t held_top = -1, held_bottom = -1;
#pragma omp for
      for (int64_t i = 0; i < 3 * settings_.padded[0]; ++i) {
        const int c = static_cast<int>(i / settings_.padded[0]);
        const int64_t y = i % settings_.padded[0];
        float* to = out + i * padded_width;
        if (y >= settings_.output[0]) {
          std::fill_n(to, padded_width, 0.0f);
          continue;
        }
        const int64_t low_row = c * in_[0] + rows_.low[y], high_row = c * in_[0] + rows_.high[y];
        if (held_bottom == low_row) {
          top.swap(bottom);
          std::swap(held_top, held_bottom);
        }
        if (held_top != low_row) read_row(rows_.low[y], c, top.data());
        held_top = low_row;
        if (held_bottom != high_row) read_row(rows_.high[y], c, bottom.data());
        held_bottom = high_row;
        resize_row(top.data(), bottom.data(), columns_.low.data(), columns_.high.data(),
                   columns_.weight.data(), rows_.weight[y], settings_.output[1], to);
        std::fill(to + settings_.output[1], to + padded_width, 0.0f);
      }
    }
    return {};
  }

  // ITU-R 601 luma with Pillow's integer weights; equal channels stay as they are.
  template <class T>
  std::vector<T> to_gray(const T* pixels) const {
    std::vector<T> gray(in_[0] * in_[1]);
    for (size_t i = 0; i < gray.size(); ++i) {
      const T* p = pixels + 3 * i;
      if constexpr (sizeof(T) < 4)
        gray[i] = static_cast<T>(
            (uint64_t{19595} * p[0] + uint64_t{38470} * p[1] + uint64_t{7471} * p[2] + 0x8000) >> 16);
      else
        gray[i] = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
    }
    return gray;
  }

  // numpy.percentile, linear.
  template <class T>
  double percentile(const T* pixels, double q) const {
    const int64_t n = in_[0] * in_[1];
    const double at = q / 100 * static_cast<double>(n - 1);
    const int64_t low = static_cast<int64_t>(at), high = std::min(low + 1, n - 1);
    double a, b;
    if constexpr (sizeof(T) < 4) {
      std::vector<int64_t> counts(size_t{1} << (8 * sizeof(T)));
      for (int64_t i = 0; i < n; ++i) ++counts[pixels[i]];
      const auto nth = [&](int64_t rank) {
        size_t v = 0;
        for (int64_t seen = counts[0]; seen <= rank; seen += counts[v]) ++v;
        return static_cast<double>(v);
      };
      a = nth(low);
      b = nth(high);
    } else {
      std::vector<T> sorted(pixels, pixels + n);
      std::nth_element(sorted.begin(), sorted.begin() + low, sorted.end());
      a = sorted[low];
      b = high == low ? a : *std::min_element(sorted.begin() + high, sorted.end());
    }
    return a + (b - a) * (at - static_cast<double>(low));
  }

  Shape in_;
  int64_t capacity_;
  DType dtype_;
  preprocess::Settings settings_;
  Source rows_, columns_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_preprocess(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new Preprocess(call));
}

}  // namespace nlrcnn::cpu
