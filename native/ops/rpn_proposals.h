#pragma once
#include "ops/geometry.h"

// torchvision's RegionProposalNetwork.filter_proposals: objectness [N, A, h, w] of each level, then deltas
// [N, 4A, h, w], geometry [8] or [N, 8]? -> boxes [N·P, 4], scores [N·P], count i32 [N]; P = post_nms_top_n.
// Image n has rows n·P to n·P + count[n]; the rest of its P are zero.
namespace nlrcnn::rpn_proposals {

inline constexpr size_t kInputs = 0;

struct Settings {
  int64_t image_size[2], padded_size[2], pre_nms_top_n, post_nms_top_n;
  double nms_thresh, score_thresh, min_size;
  std::vector<float> cell_anchors;  // [levels, A, 4]
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (call.in.size() % 2 == 0)
    if (Status s = read_pair(call, "image_size", 1, 0, out->image_size); !s.ok()) return s;
  if (Status s = read_pair(call, "padded_size", 1, 0, out->padded_size); !s.ok()) return s;
  if (Status s = read_integer(call, "pre_nms_top_n", 1, 1000, &out->pre_nms_top_n); !s.ok()) return s;
  if (Status s = read_integer(call, "post_nms_top_n", 1, 1000, &out->post_nms_top_n); !s.ok()) return s;
  if (Status s = read_number(call, "nms_thresh", 0, 1, 0.7, &out->nms_thresh); !s.ok()) return s;
  if (Status s = read_number(call, "score_thresh", 0, 1, 0, &out->score_thresh); !s.ok()) return s;
  if (Status s = read_number(call, "min_size", 0, 1e6, 1e-3, &out->min_size); !s.ok()) return s;
  const size_t anchors = call.in.size() / 2 * call.in[0].shape[1];
  return read_numbers(call, "cell_anchors", 4 * anchors, &out->cell_anchors);
}

inline Wants wants(const OpCall& call, size_t input) {
  return call.target.cuda && input < call.in.size() / 2 * 2 ? Wants::any : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  const size_t levels = call.in.size() / 2;
  if (levels == 0)
    return Status::error(Code::argument, "Expected objectness and deltas of each level for rpn_proposals");
  for (size_t l = 0; l < levels; ++l) {
    if (Status s = check_float(call, l, "objectness"); !s.ok()) return s;
    const Shape& shape = call.in[l].shape;
    if (shape.size() != 4 || shape[0] < 1 || shape[1] < 1 || shape[2] < 1 || shape[3] < 1 ||
        shape[0] != call.in[0].shape[0] || shape[1] != call.in[0].shape[1])
      return expected_shape("objectness", "[N, A, h, w], N and A the same at each level,", shape);
    const Shape deltas{shape[0], 4 * shape[1], shape[2], shape[3]};
    if (Status s = check_shape(call, levels + l, "deltas", deltas); !s.ok()) return s;
  }
  const int64_t images = call.in[0].shape[0];
  if (call.in.size() % 2) {
    const bool flat = images == 1 && call.in[2 * levels].shape.size() == 1;
    if (Status s =
            flat ? check_geometry(call, 2 * levels) : check_shape(call, 2 * levels, "geometry", {images, 8});
        !s.ok())
      return s;
  }
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  const int64_t p = images * settings.post_nms_top_n;
  return std::vector<TensorDesc>{{DType::f32, {p, 4}}, {DType::f32, {p}}, {DType::i32, {images}}};
}

}  // namespace nlrcnn::rpn_proposals
