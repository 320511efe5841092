#pragma once
#include "ops/boxes.h"
#include "ops/check.h"

// torchvision's Matcher over box_iou, float32: boxes [N, 4], targets [G, 4], crowd [R, 4]? -> i32 [N], the
// target that a box is matched to, -1 below `low` (background), -2 for what is neither. With `low_quality`
// the boxes that overlap a target best are matched to the target that they overlap best, whatever the
// overlap. Background of which at least `crowd_thresh` lies in a crowd region becomes -2 (Detectron's
// TRAIN.CROWD_FILTER_THRESH).
namespace nlrcnn::match_boxes {

inline constexpr size_t kInputs = 3;

struct Settings {
  double high, low, crowd_thresh;
  bool low_quality;
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (Status s = read_number(call, "high", 0, 1, 0.5, &out->high); !s.ok()) return s;
  if (Status s = read_number(call, "low", 0, out->high, out->high, &out->low); !s.ok()) return s;
  out->low_quality = call.attrs.flag("low_quality");
  return read_number(call, "crowd_thresh", 0, 1, 0.7, &out->crowd_thresh);
}

NLRCNN_HD inline float area_of(const Box& b) {
  return (b.x2 - b.x1) * (b.y2 - b.y1);
}

NLRCNN_HD inline float intersection(const Box& a, const Box& b) {
  const float x1 = a.x1 > b.x1 ? a.x1 : b.x1, y1 = a.y1 > b.y1 ? a.y1 : b.y1;
  const float x2 = a.x2 < b.x2 ? a.x2 : b.x2, y2 = a.y2 < b.y2 ? a.y2 : b.y2;
  const float w = x2 - x1 > 0 ? x2 - x1 : 0.0f, h = y2 - y1 > 0 ? y2 - y1 : 0.0f;
  return w * h;
}

// torchvision.ops.box_iou's order of operations.
NLRCNN_HD inline float iou(const Box& target, const Box& box) {
  const float inter = intersection(target, box);
  return inter / (area_of(target) + area_of(box) - inter);
}

// What becomes of a box whose best target is `best` with IoU `value`.
NLRCNN_HD inline int threshold(int best, float value, double high, double low) {
  return value < low ? -1 : value < high ? -2 : best;
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (Status s = check_boxes(call, 0, "boxes"); !s.ok()) return s;
  if (Status s = check_boxes(call, 1, "targets"); !s.ok()) return s;
  if (call.has(2))
    if (Status s = check_boxes(call, 2, "crowd"); !s.ok()) return s;
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  return std::vector<TensorDesc>{{DType::i32, {call.in[0].shape[0]}}};
}

}  // namespace nlrcnn::match_boxes
