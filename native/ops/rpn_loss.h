#pragma once
#include "ops/losses.h"

// torchvision's RegionProposalNetwork.compute_loss behind its sampler: objectness [N, A, h, w] of each level,
// then deltas [N, 4 A, h, w], then indices i32 [S] of the sampled anchors, labels [S] (1: object, else 0),
// targets [S, 4] (read for objects) -> mean binary cross entropy [1], smooth L1 of the objects summed and
// divided by S [1], and their gradients with regard to the sampled objectness [S] and deltas [S, 4], all
// float32; of no samples 0. Indices are those of concat_box_prediction_layers: images, then levels, places
// row-major, anchors; each at most once.
namespace nlrcnn::rpn_loss {

inline constexpr size_t kInputs = 0;
inline constexpr int kLevels = 8;

// Anchors of all levels.
struct Levels {
  int64_t images, anchors;  // anchors: A
  int count;
  int64_t height[kLevels], width[kLevels];

  NLRCNN_HD int64_t per_image() const {
    int64_t sum = 0;
    for (int l = 0; l < count; ++l) sum += height[l] * width[l] * anchors;
    return sum;
  }
};

struct Anchor {
  int level;
  int64_t image, place, anchor;
};

// `index` lies within 0 … images · per_image.
NLRCNN_HD inline Anchor find_anchor(const Levels& levels, int64_t index) {
  const int64_t each = levels.per_image();
  Anchor found{0, index / each, 0, 0};
  int64_t rest = index % each;
  for (;; ++found.level) {
    const int64_t size = levels.height[found.level] * levels.width[found.level] * levels.anchors;
    if (rest < size) break;
    rest -= size;
  }
  found.place = rest / levels.anchors;
  found.anchor = rest % levels.anchors;
  return found;
}

inline Status too_many_levels() {
  return Status::error(Code::unsupported,
                       "Expected at most " + std::to_string(kLevels) + " levels for the losses of the RPN");
}

inline Status wrong_index(int32_t index, int64_t anchors) {
  return Status::error(Code::argument, "Expected indices of sampled anchors, each once, from 0 to below " +
                                           std::to_string(anchors) + " but received " +
                                           std::to_string(index));
}

inline size_t level_count(const OpCall& call) {
  return call.in.size() < 5 ? 0 : (call.in.size() - 3) / 2;
}

inline Levels levels_of(const OpCall& call) {
  Levels levels{call.in[0].shape[0], call.in[0].shape[1], static_cast<int>(level_count(call)), {}, {}};
  for (int l = 0; l < levels.count; ++l) {
    levels.height[l] = call.in[l].shape[2];
    levels.width[l] = call.in[l].shape[3];
  }
  return levels;
}

inline Status check_indices(const OpCall& call, size_t input) {
  if (call.has(input) && call.in[input].dtype == DType::i32 && call.in[input].shape.size() == 1) return {};
  return Status::error(Code::dtype, "Expected indices of dtype int32 and shape [S] for " + call.name);
}

inline Wants wants(const OpCall& call, size_t input) {
  return input < 2 * level_count(call) ? Wants::any : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  double beta;
  const size_t levels = level_count(call);
  if (levels == 0 || call.in.size() != 2 * levels + 3)
    return Status::error(
        Code::argument,
        "Expected objectness and deltas of each level, indices, labels and targets for rpn_loss");
  if (levels > kLevels) return too_many_levels();
  for (size_t l = 0; l < levels; ++l) {
    if (Status s = check_float(call, l, "objectness"); !s.ok()) return s;
    const Shape &shape = call.in[l].shape, &first = call.in[0].shape;
    if (shape.size() != 4 || shape[1] < 1 || shape[0] != first[0] || shape[1] != first[1])
      return expected_shape("objectness", "[N, A, h, w], N and A the same at each level,", shape);
    if (Status s = check_shape(call, levels + l, "deltas", {shape[0], 4 * shape[1], shape[2], shape[3]});
        !s.ok())
      return s;
  }
  if (Status s = check_indices(call, 2 * levels); !s.ok()) return s;
  const int64_t sampled = call.in[2 * levels].shape[0];
  if (Status s = check_shape(call, 2 * levels + 1, "labels", {sampled}); !s.ok()) return s;
  if (Status s = check_shape(call, 2 * levels + 2, "targets", {sampled, 4}); !s.ok()) return s;
  if (Status s = read_number(call, "beta", 0, 1e30, 1.0 / 9, &beta); !s.ok()) return s;
  return std::vector<TensorDesc>{
      {DType::f32, {1}}, {DType::f32, {1}}, {DType::f32, {sampled}}, {DType::f32, {sampled, 4}}};
}

}  // namespace nlrcnn::rpn_loss
