#pragma once
#include "ops/boxes.h"
#include "ops/check.h"

// torchvision's MultiScaleRoIAlign (one level: roi_align): rois [K, 4] (xyxy of image 0) or [K, 5] (image,
// xyxy), count [1]?, levels [N, C, h, w] … -> [K, C, ph, pw].
namespace nlrcnn::roi_align {

inline constexpr size_t kInputs = 0;

struct Settings {
  int64_t output[2], sampling_ratio;
  bool aligned;
  std::vector<float> scales;
  double canonical_scale, canonical_level;
};

// Samples of a bin and axis; torchvision's cost grows with their square.
inline constexpr int64_t kMostSamples = 1024;

inline Status read_settings(const OpCall& call, size_t levels, Settings* out) {
  if (Status s = read_pair(call, "output_size", 1, 0, out->output); !s.ok()) return s;
  if (Status s = read_integer(call, "sampling_ratio", 0, 0, &out->sampling_ratio); !s.ok()) return s;
  if (out->sampling_ratio > kMostSamples)
    return Status::error(Code::argument, "Expected sampling_ratio of " + call.name + " to be at most " +
                                             std::to_string(kMostSamples) + " but received " +
                                             std::to_string(out->sampling_ratio));
  if (Status s = read_numbers(call, "spatial_scales", levels, &out->scales); !s.ok()) return s;
  for (float scale : out->scales)
    if (!(scale > 0)) return Status::error(Code::argument, "Expected spatial_scales of roi_align above 0");
  if (Status s = read_number(call, "canonical_scale", 1e-6, 1e6, 224, &out->canonical_scale); !s.ok())
    return s;
  out->aligned = call.attrs.flag("aligned");
  return read_number(call, "canonical_level", -100, 100, 4, &out->canonical_level);
}

// MultiScaleRoIAlign's LevelMapper in float32: which of `levels` levels a box belongs to, the first being
// level `first`.
NLRCNN_HD inline int level_of(const Box& box, float canonical_scale, float canonical_level, float first,
                              int levels) {
  const float side = sqrtf((box.x2 - box.x1) * (box.y2 - box.y1));
  const float level = floorf(canonical_level + log2f(side / canonical_scale) + 1e-6f) - first;
  return level >= levels - 1 ? levels - 1 : level > 0 ? static_cast<int>(level) : 0;
}

// Two neighbours on one axis and their weights; both weights are 0 outside of [-1, size] (and for NaN).
struct Sample {
  int low, high;
  float low_weight, high_weight;
};

NLRCNN_HD inline Sample sample_at(float at, int size) {
  if (!(at >= -1.0f && at <= static_cast<float>(size))) return {0, 0, 0, 0};
  if (at <= 0) at = 0;
  const int low = static_cast<int>(at);
  if (low >= size - 1) return {size - 1, size - 1, 1, 0};
  const float rest = at - low;
  return {low, low + 1, 1 - rest, rest};
}

inline Wants wants(const OpCall&, size_t input) {
  return input < 2 ? Wants::plain : Wants::blocked;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (call.in.size() < 3) return Status::error(Code::argument, "Expected at least one level for roi_align");
  if (Status s = check_float(call, 0, "rois"); !s.ok()) return s;
  const Shape& rois = call.in[0].shape;
  if (rois.size() != 2 || (rois[1] != 4 && rois[1] != 5)) return expected_shape("rois", "[K, 5]", rois);
  if (Status s = check_count(call, 1); !s.ok()) return s;
  for (size_t i = 2; i < call.in.size(); ++i) {
    if (Status s = check_float(call, i, "levels"); !s.ok()) return s;
    const Shape &level = call.in[i].shape, &first = call.in[2].shape;
    if (level.size() != 4 || level[0] < 1 || level[2] < 1 || level[3] < 1 || level[0] != first[0] ||
        level[1] != first[1])
      return expected_shape("levels", "[N, C, h, w], N and C the same at each,", level);
    if (level[2] > 1 << 24 || level[3] > 1 << 24)
      return expected_shape("levels", "with sides below 2^24", level);
  }
  if (Status s = read_settings(call, call.in.size() - 2, &settings); !s.ok()) return s;
  return std::vector<TensorDesc>{{call.target.compute,
                                  {rois[0], call.in[2].shape[1], settings.output[0], settings.output[1]},
                                  Layout::blocked}};
}

}  // namespace nlrcnn::roi_align
