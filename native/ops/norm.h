#pragma once
#include <cmath>

#include "ops/check.h"

// What batch_norm and group_norm share: both subtract a mean, divide by a deviation and scale by channel;
// they differ in which values have a mean in common (a set). Sums over the places of a channel are the
// backends' work, what is made of them is here.
namespace nlrcnn::norm {

struct Sizes {
  int64_t images, channels, places;
  int64_t groups;  // of an image's channels, each a set; 0: a channel of all images is one
  int64_t stored;  // channels with padding

  NLRCNN_HD int64_t sets() const { return groups ? images * groups : channels; }
  NLRCNN_HD int64_t members() const { return groups ? channels / groups : images; }
  NLRCNN_HD int64_t image(int64_t set, int64_t member) const { return groups ? set / groups : member; }
  NLRCNN_HD int64_t channel(int64_t set, int64_t member) const {
    return groups ? set % groups * (channels / groups) + member : set;
  }
  NLRCNN_HD int64_t set_of(int64_t image, int64_t channel) const {
    return groups ? image * groups + channel / (channels / groups) : channel;
  }
  // Values of a set.
  NLRCNN_HD double count() const { return double(members()) * double(places); }
  // Where what belongs to a channel of an image lies; what belongs to a channel of all lies at image 0.
  NLRCNN_HD int64_t at(int64_t image, int64_t channel) const { return image * stored + channel; }
  NLRCNN_HD int64_t coefficient(int64_t image, int64_t channel) const {
    return at(groups ? image : 0, channel);
  }
  int64_t coefficients() const { return (groups ? images : 1) * stored; }
};

// y = (x - mean) · factor + offset, and on the way back dx = g · factor + (x - mean) · slope + offset.
struct Coefficient {
  float mean, factor, offset, slope;
};

// Sums of x and of (x - mean)² about any mean, or of g and g · (x - mean).
struct Sums {
  double first, second;
};

// F and D point to floats and to Sums, C to coefficients; a null running mean keeps no statistics.
template <class F, class D, class C, class O>
struct Forward {
  Sizes s;
  D sums;
  F weight, bias;
  O running_mean, running_var, mean, inverse;
  C coefficients;
  float eps, momentum;

  // `about`: what the second sums are about; of each value the same.
  NLRCNN_HD void finish(int64_t set, double about) const {
    const double count = s.count();
    double first = 0, second = 0;
    for (int64_t m = 0; m < s.members(); ++m) {
      const Sums sum = sums[s.at(s.image(set, m), s.channel(set, m))];
      first += sum.first;
      second += sum.second;
    }
    const double middle = count > 0 ? first / count : 0;
    double variance = count > 0 ? second / count - (middle - about) * (middle - about) : 0;
    variance = variance < 0 ? 0 : variance;
    mean[set] = static_cast<float>(middle);
    inverse[set] = static_cast<float>(1 / sqrt(variance + eps));
    if (running_mean && count > 0) {
      const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
      running_mean[set] += momentum * (static_cast<float>(middle) - running_mean[set]);
      running_var[set] += momentum * (static_cast<float>(unbiased) - running_var[set]);
    }
    for (int64_t m = 0; m < (s.groups ? s.members() : 1); ++m) {
      const int64_t c = s.channel(set, m);
      const float factor = weight[c] * inverse[set];
      // The mean as rounded is what is subtracted.
      const auto offset = static_cast<float>(bias[c] + (mean[set] - middle) * factor);
      coefficients[s.coefficient(s.image(set, m), c)] = {mean[set], factor, offset, 0};
    }
  }
};

template <class F, class D, class C, class O>
struct Backward {
  Sizes s;
  D sums;
  F weight, mean, inverse;
  O dweight, dbias;
  C coefficients;

  NLRCNN_HD void finish(int64_t set) const {
    const double count = s.count(), over = inverse[set];
    double first = 0, second = 0;
    for (int64_t m = 0; m < s.members(); ++m) {
      const int64_t c = s.channel(set, m);
      const Sums sum = sums[s.at(s.image(set, m), c)];
      first += weight[c] * sum.first;
      second += weight[c] * sum.second;
    }
    for (int64_t m = 0; m < (s.groups ? s.members() : 1); ++m) {
      const int64_t c = s.channel(set, m);
      coefficients[s.coefficient(s.image(set, m), c)] = {
          mean[set], weight[c] * inverse[set], static_cast<float>(count > 0 ? -over * first / count : 0),
          static_cast<float>(count > 0 ? -over * over * over * second / count : 0)};
    }
  }

  NLRCNN_HD void finish_weight(int64_t c) const {
    double first = 0, second = 0;
    for (int64_t n = 0; n < s.images; ++n) {
      const Sums sum = sums[s.at(n, c)];
      first += sum.first;
      second += inverse[s.set_of(n, c)] * sum.second;
    }
    dweight[c] = static_cast<float>(second);
    dbias[c] = static_cast<float>(first);
  }
};

// x [N, C, H, W], weight and bias [C].
inline Status check_input(const OpCall& call) {
  double eps;
  if (Status s = check_float(call, 0, "x"); !s.ok()) return s;
  const Shape& x = call.in[0].shape;
  if (x.size() != 4 || x[1] < 1) return expected_shape("x", "[N, C, H, W]", x);
  if (Status s = check_shape(call, 1, "weight", {x[1]}); !s.ok()) return s;
  if (Status s = check_shape(call, 2, "bias", {x[1]}); !s.ok()) return s;
  return read_number(call, "eps", 0, 1, 1e-5, &eps);
}

inline Status read_groups(const OpCall& call, int64_t channels, int64_t* out) {
  if (Status s = read_integer(call, "groups", 1, 0, out); !s.ok()) return s;
  if (channels % *out == 0) return {};
  return Status::error(Code::argument, "Expected groups of " + call.name + " to divide " +
                                           std::to_string(channels) + " channels but received " +
                                           std::to_string(*out));
}

// Written in place by the kernel, so that no reordered copy may stand for it.
inline Status check_in_place(const OpCall& call, size_t input, const char* what) {
  if (call.has(input) && call.in[input].dtype == DType::f32 && call.in[input].layout == Layout::plain)
    return {};
  return Status::error(Code::dtype, std::string("Expected row-major float32 for ") + what + " of " +
                                        call.name + ", which is written in place");
}

inline Sizes sizes_of(const OpCall& call, const Shape& x, int block) {
  return {x[0], x[1], x[2] * x[3], call.attrs.integer("groups", 0), (x[1] + block - 1) / block * block};
}

}  // namespace nlrcnn::norm
