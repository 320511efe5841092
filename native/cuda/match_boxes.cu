#include "ops/match_boxes.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

struct Thresholds {
  double high, low, crowd;
};

// The largest overlap of each target, one block each: a maximum is the same in any order.
NLRCNN_KERNEL void find_highest(Span<const Box> boxes, Span<const Box> targets, Span<float> highest,
                                int64_t rows) {
  NLRCNN_SHARED(float, most, kThreads / 32);
  const Box target = targets[block_x()];
  float own = 0;
  for (int64_t i = thread_index(); i < rows; i += kThreads) {
    const float value = match_boxes::iou(target, boxes[i]);
    own = value > own ? value : own;
  }
  own = warp_max(own);
  if (thread_index() % 32 == 0) most[thread_index() / 32] = own;
  barrier();
  if (thread_index() > 0) return;
  for (int w = 1; w < kThreads / 32; ++w) {
    const float value = most[w];
    own = value > own ? value : own;
  }
  highest[block_x()] = own;
}

NLRCNN_KERNEL void match(Span<const Box> boxes, Span<const Box> targets, Span<const Box> crowd,
                         Span<const float> highest, Span<int32_t> out, int64_t rows, int64_t count,
                         int64_t crowds, Thresholds t) {
  const int64_t i = global_index();
  if (i >= rows) return;
  const Box box = boxes[i];
  int best = 0;
  float value = -1;
  bool restored = false;
  for (int64_t g = 0; g < count; ++g) {
    const float iou = match_boxes::iou(targets[g], box);
    if (highest) restored = restored || iou == highest[g];
    if (!(iou > value)) continue;
    value = iou;
    best = static_cast<int>(g);
  }
  int matched = restored ? best : match_boxes::threshold(best, value, t.high, t.low);
  for (int64_t r = 0; r < crowds && matched == -1; ++r)
    if (match_boxes::intersection(crowd[r], box) / match_boxes::area_of(box) >= t.crowd) matched = -2;
  out[i] = matched;
}

class MatchBoxes : public Kernel {
 public:
  explicit MatchBoxes(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), targets_(call.in[1].shape[0]) {}
  Status init() { return match_boxes::read_settings(call_, &settings_); }
  size_t workspace_bytes() const override { return targets_ * sizeof(float); }

  Status run(RunContext& context) override {
    if (rows_ == 0) return {};
    const auto boxes = span<const Box>(context.in[0].data, rows_),
               targets = span<const Box>(context.in[1].data, targets_);
    const int64_t crowds = call_.has(2) ? call_.in[2].shape[0] : 0;
    Span<float> highest;
    if (settings_.low_quality && targets_ > 0) {
      highest = span<float>(context.workspace, targets_);
      const Grid grid{static_cast<uint32_t>(targets_)};
      if (Status s = launch(stream_of(context), "match_boxes highest", grid, kThreads, find_highest, boxes,
                            targets, highest, rows_);
          !s.ok())
        return s;
    }
    return launch(stream_of(context), "match_boxes", grid_of(rows_), kThreads, match, boxes, targets,
                  span<const Box>(context.in[2].data, crowds), Span<const float>(highest),
                  span<int32_t>(context.out[0]), rows_, targets_, crowds,
                  Thresholds{settings_.high, settings_.low, settings_.crowd_thresh});
  }

 private:
  OpCall call_;
  int64_t rows_, targets_;
  match_boxes::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_match_boxes(const OpCall& call, Stream&) {
  return made(std::make_unique<MatchBoxes>(call));
}

}  // namespace nlrcnn::cuda
