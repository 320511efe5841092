#include "ops/match_boxes.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

// Boxes that a thread takes at once, as columns.
constexpr int64_t kChunk = 1024;

struct Columns {
  float x1[kChunk], y1[kChunk], x2[kChunk], y2[kChunk];
};

NLRCNN_MULTIVERSION void overlaps(const Columns& boxes, Box target, int64_t n, float* iou) {
  for (int64_t i = 0; i < n; ++i)
    iou[i] = match_boxes::iou(target, {boxes.x1[i], boxes.y1[i], boxes.x2[i], boxes.y2[i]});
}

NLRCNN_MULTIVERSION void keep_best(const float* iou, int32_t target, int64_t n, float* best, int32_t* index) {
  for (int64_t i = 0; i < n; ++i) {
    const bool better = iou[i] > best[i];
    index[i] = better ? target : index[i];
    best[i] = better ? iou[i] : best[i];
  }
}

class MatchBoxes : public Kernel {
 public:
  explicit MatchBoxes(const OpCall& call) : rows_(call.in[0].shape[0]), targets_(call.in[1].shape[0]) {
    crowds_ = call.has(2) ? call.in[2].shape[0] : 0;
    match_boxes::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const Box *boxes = context.in[0].as<Box>(), *targets = context.in[1].as<Box>();
    int32_t* out = context.out[0].as<int32_t>();
    const int64_t chunks = (rows_ + kChunk - 1) / kChunk;
    // The best target of each box; of each chunk the largest overlap with each target.
    std::vector<int32_t> best(rows_);
    std::vector<float> highest(targets_ * chunks);
#pragma omp parallel for
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t first = c * kChunk, n = std::min(kChunk, rows_ - first);
      Columns columns;
      split(boxes + first, n, &columns);
      float iou[kChunk], value[kChunk];
      std::fill_n(value, n, -1.0f);
      std::fill_n(&best[first], n, 0);
      for (int64_t g = 0; g < targets_; ++g) {
        overlaps(columns, targets[g], n, iou);
        keep_best(iou, static_cast<int32_t>(g), n, value, &best[first]);
        highest[c * targets_ + g] = *std::max_element(iou, iou + n);
      }
      for (int64_t i = 0; i < n; ++i)
        out[first + i] = match_boxes::threshold(best[first + i], value[i], settings_.high, settings_.low);
    }
    for (int64_t c = 1; c < chunks; ++c)
      for (int64_t g = 0; g < targets_; ++g) highest[g] = std::max(highest[g], highest[c * targets_ + g]);
#pragma omp parallel for
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t first = c * kChunk, n = std::min(kChunk, rows_ - first);
      if (settings_.low_quality) {
        Columns columns;
        split(boxes + first, n, &columns);
        float iou[kChunk];
        for (int64_t g = 0; g < targets_; ++g) {
          overlaps(columns, targets[g], n, iou);
          for (int64_t i = 0; i < n; ++i)
            if (iou[i] == highest[g]) out[first + i] = best[first + i];
        }
      }
      for (int64_t i = first; i < first + n; ++i)
        if (out[i] == -1 && in_crowd(boxes[i], context)) out[i] = -2;
    }
    return {};
  }

 private:
  static void split(const Box* boxes, int64_t n, Columns* to) {
    for (int64_t i = 0; i < n; ++i) {
      to->x1[i] = boxes[i].x1;
      to->y1[i] = boxes[i].y1;
      to->x2[i] = boxes[i].x2;
      to->y2[i] = boxes[i].y2;
    }
  }

  bool in_crowd(const Box& box, const RunContext& context) const {
    for (int64_t r = 0; r < crowds_; ++r)
      if (match_boxes::intersection(context.in[2].as<Box>()[r], box) / match_boxes::area_of(box) >=
          settings_.crowd_thresh)
        return true;
    return false;
  }

  int64_t rows_, targets_, crowds_;
  match_boxes::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_match_boxes(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new MatchBoxes(call));
}

}  // namespace nlrcnn::cpu
