#pragma once
#include "ops/geometry.h"

// torchvision's RoIHeads.postprocess_detections: class_logits [N, C], box_regression [N, 4C], proposals [N,
// 4], count [1]?, geometry [8]?
// -> boxes [P, 4], scores [P], labels i32 [P], count i32 [1]; P = detections_per_img.
namespace nlrcnn::box_detections {

inline constexpr size_t kInputs = 5;

struct Settings {
  int64_t image_size[2], per_image;
  double score_thresh, nms_thresh, min_size;
  std::vector<float> weights;
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (!call.has(4))
    if (Status s = read_pair(call, "image_size", 1, 0, out->image_size); !s.ok()) return s;
  if (Status s = read_integer(call, "detections_per_img", 1, 100, &out->per_image); !s.ok()) return s;
  if (Status s = read_number(call, "score_thresh", 0, 1, 0.05, &out->score_thresh); !s.ok()) return s;
  if (Status s = read_number(call, "nms_thresh", 0, 1, 0.5, &out->nms_thresh); !s.ok()) return s;
  if (Status s = read_number(call, "min_size", 0, 1e6, 1e-2, &out->min_size); !s.ok()) return s;
  return read_numbers(call, "weights", 4, &out->weights);
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  if (Status s = check_boxes(call, 2, "proposals"); !s.ok()) return s;
  if (Status s = check_float(call, 0, "class_logits"); !s.ok()) return s;
  const int64_t rows = call.in[2].shape[0];
  const Shape& logits = call.in[0].shape;
  if (logits.size() != 2 || logits[0] != rows || logits[1] < 1)
    return expected_shape("class_logits", ("[" + std::to_string(rows) + ", C]").c_str(), logits);
  if (Status s = check_shape(call, 1, "box_regression", {rows, 4 * logits[1]}); !s.ok()) return s;
  if (Status s = check_count(call, 3); !s.ok()) return s;
  if (Status s = check_geometry(call, 4); !s.ok()) return s;
  const int64_t p = settings.per_image;
  return std::vector<TensorDesc>{
      {DType::f32, {p, 4}}, {DType::f32, {p}}, {DType::i32, {p}}, {DType::i32, {1}}};
}

}  // namespace nlrcnn::box_detections
