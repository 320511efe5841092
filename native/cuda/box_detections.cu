#include "ops/box_detections.h"

#include "cuda/suppression.h"

namespace nlrcnn::cuda {
namespace {

constexpr uint64_t kNone = ~uint64_t{0};
constexpr int kRowBits = 20;  // below the key of the score, below the class

struct Settings {
  int64_t rows, classes, capacity, per_image;
  float image_height, image_width, score_thresh, min_size, weights[4];
};

struct Inputs {
  Span<const float> logits, regression;
  Span<const Box> proposals;
  Span<const int32_t> count;
  Span<const Geometry> geometry;
};

NLRCNN_DEVICE Box box_of(const Inputs& in, const Settings& s, int64_t row, int64_t label) {
  const int64_t at = 4 * (row * s.classes + label);
  const float delta[4] = {in.regression[at], in.regression[at + 1], in.regression[at + 2],
                          in.regression[at + 3]};
  const float height = in.geometry ? in.geometry[0].resized_height : s.image_height,
              width = in.geometry ? in.geometry[0].resized_width : s.image_width;
  return clip_box(decode_box(in.proposals[row], delta, s.weights), height, width);
}

// One warp for each proposal: softmax, then a key (class, falling score, row) for each candidate, in any
// order as they are sorted next.
NLRCNN_KERNEL void find_candidates(Inputs in, Settings s, Span<uint64_t> keys, Span<int32_t> found) {
  const int64_t row = global_index() / 32;
  const int lane = thread_index() % 32;
  const bool valid = row < rows_of(in.count, s.rows);
  float most = float_of(0xff800000u), sum = 0;
  if (valid)
    for (int64_t c = lane; c < s.classes; c += 32) {
      const float v = in.logits[row * s.classes + c];
      most = v > most ? v : most;
    }
  most = warp_max(most);
  if (valid)
    for (int64_t c = lane; c < s.classes; c += 32) sum += expf(in.logits[row * s.classes + c] - most);
  sum = warp_sum(sum);
  if (!valid) return;
  for (int64_t c = lane; c < s.classes; c += 32) {
    const float score = expf(in.logits[row * s.classes + c] - most) / sum;
    if (c == 0 || !(score > s.score_thresh) || !box_large_enough(box_of(in, s, row, c), s.min_size)) continue;
    const int32_t slot = atomic_add(found, 0, 1);
    if (slot < s.capacity)
      keys[slot] = static_cast<uint64_t>(c) << (32 + kRowBits) |
                   static_cast<uint64_t>(falling_key(score)) << kRowBits | static_cast<uint64_t>(row);
  }
}

// Boxes in the order of their keys, and where each class begins and ends.
NLRCNN_KERNEL void gather(Inputs in, Settings s, Span<const uint64_t> sorted, Span<Box> boxes,
                          Span<int32_t> ranges) {
  const int64_t i = global_index();
  if (i >= s.capacity || sorted[i] == kNone) return;
  const auto label = static_cast<int64_t>(sorted[i] >> (32 + kRowBits));
  boxes[i] = box_of(in, s, static_cast<int64_t>(sorted[i] & ((1 << kRowBits) - 1)), label);
  const auto class_at = [&](int64_t k) {
    return k < 0 || k >= s.capacity || sorted[k] == kNone
               ? int64_t{-1}
               : static_cast<int64_t>(sorted[k] >> (32 + kRowBits));
  };
  if (class_at(i - 1) != label) ranges[2 * label] = static_cast<int32_t>(i);
  if (class_at(i + 1) != label) ranges[2 * label + 1] = static_cast<int32_t>(i + 1);
}

// Falling score, then row and class, which is the order that torchvision's candidates come in.
NLRCNN_KERNEL void merge_keys(Settings s, Span<const uint64_t> sorted, Span<const uint8_t> keep,
                              Span<uint64_t> keys) {
  const int64_t i = global_index();
  if (i >= s.capacity) return;
  const uint64_t key = sorted[i];
  if (key == kNone || !keep[i]) {
    keys[i] = kNone;
    return;
  }
  const uint64_t label = key >> (32 + kRowBits), row = key & ((1 << kRowBits) - 1),
                 score = key >> kRowBits & 0xffffffffu;
  keys[i] = score << 32 | (row * static_cast<uint64_t>(s.classes) + label);
}

NLRCNN_KERNEL void write(Inputs in, Settings s, Span<const uint64_t> sorted, Span<Box> boxes,
                         Span<float> scores, Span<int32_t> labels, Span<int32_t> count) {
  const int64_t i = global_index();
  if (i >= s.per_image) return;
  const uint64_t key = i < s.capacity ? sorted[i] : kNone;
  const bool there = key != kNone;
  const auto pair = static_cast<int64_t>(key & 0xffffffffu);
  const int64_t row = there ? pair / s.classes : 0, label = there ? pair % s.classes : 0;
  boxes[i] = there ? box_of(in, s, row, label) : Box{0, 0, 0, 0};
  scores[i] = there ? value_of_key(static_cast<uint32_t>(key >> 32)) : 0.0f;
  labels[i] = static_cast<int32_t>(label);
  const bool next = i + 1 < s.per_image && i + 1 < s.capacity && sorted[i + 1] != kNone;
  if (there && !next) count[0] = static_cast<int32_t>(i + 1);
  if (i == 0 && !there) count[0] = 0;
}

class BoxDetections : public Kernel {
 public:
  explicit BoxDetections(const OpCall& call) : call_(call) {}

  Status init() {
    box_detections::Settings s;
    if (Status status = box_detections::read_settings(call_, &s); !status.ok()) return status;
    const int64_t rows = call_.in[0].shape[0], classes = call_.in[0].shape[1];
    if (rows >> kRowBits || classes > 4095 || rows * classes > 0xffffffff)
      return Status::error(Code::unsupported,
                           "Expected fewer than 2^20 proposals and 4096 classes for box_detections on CUDA");
    // Scores of a row sum to one: only so many are above the threshold.
    const double above = s.score_thresh > 0 ? std::floor(1 / s.score_thresh) + 1 : 1e9;
    const int64_t most = std::min<int64_t>(classes - 1, static_cast<int64_t>(above));
    s_ = {rows,
          classes,
          std::max<int64_t>(rows * most, 1),
          s.per_image,
          static_cast<float>(s.image_size[0]),
          static_cast<float>(s.image_size[1]),
          static_cast<float>(s.score_thresh),
          static_cast<float>(s.min_size),
          {s.weights[0], s.weights[1], s.weights[2], s.weights[3]}};
    nms_thresh_ = s.nms_thresh;
    keys_ = layout_.take(s_.capacity * sizeof(uint64_t));
    sorted_ = layout_.take(s_.capacity * sizeof(uint64_t));
    sort_ = layout_.take(sort_workspace_bytes(s_.capacity));
    boxes_ = layout_.take(s_.capacity * sizeof(Box));
    keep_ = layout_.take(s_.capacity);
    ranges_ = layout_.take((2 * classes + 1) * sizeof(int32_t));  // and how many candidates there are
    mask_ = layout_.take(Suppression::mask_bytes(s_.capacity, rows));
    return {};
  }
  size_t workspace_bytes() const override { return layout_.bytes(); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    char* w = static_cast<char*>(context.workspace);
    const int64_t n = s_.capacity;
    Inputs in{span<const float>(context.in[0]), span<const float>(context.in[1]),
              span<const Box>(context.in[2].data, s_.rows), span<const int32_t>(context.in[3]),
              span<const Geometry>(context.in[4].data, 1)};
    const auto keys = span<uint64_t>(w + keys_, n), sorted = span<uint64_t>(w + sorted_, n);
    const auto boxes = span<Box>(w + boxes_, n);
    const auto ranges = span<int32_t>(w + ranges_, 2 * s_.classes);
    const auto found = span<int32_t>(w + ranges_ + 2 * s_.classes * sizeof(int32_t), 1);
    Status status = fill_bytes(stream, keys.data, 0xff, n * sizeof(uint64_t));
    if (status.ok()) status = fill_bytes(stream, ranges.data, 0, (2 * s_.classes + 1) * sizeof(int32_t));
    if (status.ok())
      status = launch(stream, "detection candidates", grid_of(s_.rows * 32), kThreads, find_candidates, in,
                      s_, keys, found);
    if (status.ok()) status = sort_keys(stream, keys.data, sorted.data, n, 0, 64, w + sort_);
    if (status.ok())
      status =
          launch(stream, "detection gather", grid_of(n), kThreads, gather, in, s_, sorted, boxes, ranges);
    if (!status.ok()) return status;
    Suppression s;
    s.boxes = boxes;
    s.ranges = ranges;
    s.lists = s_.classes;
    s.longest = s_.rows;
    s.mask = span<uint64_t>(w + mask_, n * s.words());
    s.keep = span<uint8_t>(w + keep_, n);
    s.threshold = nms_thresh_;
    status = suppress(stream, s);
    if (status.ok())
      status = launch(stream, "detection merge", grid_of(n), kThreads, merge_keys, s_, sorted, s.keep, keys);
    if (status.ok()) status = sort_keys(stream, keys.data, sorted.data, n, 0, 64, w + sort_);
    if (!status.ok()) return status;
    return launch(stream, "box_detections", grid_of(s_.per_image), kThreads, write, in, s_, sorted,
                  span<Box>(context.out[0].data, s_.per_image), span<float>(context.out[1]),
                  span<int32_t>(context.out[2]), span<int32_t>(context.out[3]));
  }

 private:
  OpCall call_;
  Settings s_{};
  double nms_thresh_ = 0;
  Layouter layout_;
  size_t keys_ = 0, sorted_ = 0, sort_ = 0, boxes_ = 0, keep_ = 0, ranges_ = 0, mask_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_detections(const OpCall& call, Stream&) {
  return made(std::make_unique<BoxDetections>(call));
}

}  // namespace nlrcnn::cuda
