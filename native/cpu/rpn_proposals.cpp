#include "ops/rpn_proposals.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/select.h"
#include "ops/boxes.h"

namespace nlrcnn::cpu {
namespace {

struct Candidates {
  std::vector<Box> boxes;
  std::vector<float> scores;
};

class RpnProposals : public Kernel {
 public:
  explicit RpnProposals(const OpCall& call) : call_(call), levels_(call.in.size() / 2) {
    rpn_proposals::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const int64_t images = call_.in[0].shape[0];
    const auto all = images * static_cast<int64_t>(levels_);
    std::vector<Candidates> found(all);
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < all; ++i) found[i] = candidates(context, i % levels_, i / levels_);
    for (int64_t n = 0; n < images; ++n) choose(&found[n * levels_], n, context);
    return {};
  }

 private:
  // The best of all levels of an image.
  void choose(const Candidates* found, int64_t image, const RunContext& context) const {
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<int32_t> levels;
    for (size_t l = 0; l < levels_; ++l) {
      boxes.insert(boxes.end(), found[l].boxes.begin(), found[l].boxes.end());
      scores.insert(scores.end(), found[l].scores.begin(), found[l].scores.end());
      levels.resize(boxes.size(), static_cast<int32_t>(l));
    }
    const auto kept = suppress(boxes, scores, &levels, settings_.nms_thresh);
    const int64_t all = settings_.post_nms_top_n, count = std::min<int64_t>(all, kept.size());
    Box* out = context.out[0].as<Box>() + image * all;
    float* out_scores = context.out[1].as<float>() + image * all;
    for (int64_t i = 0; i < all; ++i) {
      out[i] = i < count ? boxes[kept[i]] : Box{};
      out_scores[i] = i < count ? scores[kept[i]] : 0;
    }
    context.out[2].as<int32_t>()[image] = static_cast<int32_t>(count);
  }

  // The best of one level, by falling objectness.
  Candidates candidates(const RunContext& context, size_t level, int64_t image) const {
    const Shape& map = call_.in[level].shape;
    const int64_t anchors = map[1], height = map[2], width = map[3], places = height * width;
    const float *objectness = context.in[level].as<float>() + image * anchors * places,
                *deltas = context.in[levels_ + level].as<float>() + image * 4 * anchors * places;
    // torchvision's order: places before anchors.
    std::vector<float> logits(anchors * places);
    for (int64_t a = 0; a < anchors; ++a)
      for (int64_t p = 0; p < places; ++p) logits[p * anchors + a] = objectness[a * places + p];
    const float* cells = settings_.cell_anchors.data() + level * anchors * 4;
    const float stride_y = static_cast<float>(settings_.padded_size[0] / height);
    const float stride_x = static_cast<float>(settings_.padded_size[1] / width);
    const float weights[4] = {1, 1, 1, 1};
    const auto* geometry = context.in.size() % 2 ? context.in.back().as<Geometry>() + image : nullptr;
    const float image_height =
                    geometry ? geometry->resized_height : static_cast<float>(settings_.image_size[0]),
                image_width =
                    geometry ? geometry->resized_width : static_cast<float>(settings_.image_size[1]);
    Candidates out;
    for (int32_t index :
         largest(logits.data(), static_cast<int64_t>(logits.size()), settings_.pre_nms_top_n)) {
      const int64_t p = index / anchors, a = index % anchors;
      const float x = static_cast<float>(p % width) * stride_x, y = static_cast<float>(p / width) * stride_y;
      const float* cell = cells + 4 * a;
      float delta[4];
      for (int i = 0; i < 4; ++i) delta[i] = deltas[(4 * a + i) * places + p];
      const Box anchor{x + cell[0], y + cell[1], x + cell[2], y + cell[3]};
      const Box box = clip_box(decode_box(anchor, delta, weights), image_height, image_width);
      const float score = 1.0f / (1.0f + std::exp(-logits[index]));
      if (!box_large_enough(box, static_cast<float>(settings_.min_size))) continue;
      if (!(score >= static_cast<float>(settings_.score_thresh))) continue;
      out.boxes.push_back(box);
      out.scores.push_back(score);
    }
    return out;
  }

  OpCall call_;
  size_t levels_;
  rpn_proposals::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_rpn_proposals(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new RpnProposals(call));
}

}  // namespace nlrcnn::cpu
