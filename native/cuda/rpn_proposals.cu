#include "ops/rpn_proposals.h"

#include "cuda/suppression.h"

namespace nlrcnn::cuda {
namespace {

constexpr int kLevels = 8, kAnchors = 32;
constexpr int kIndexBits = 28;  // of an anchor on its level, below the key of its score
constexpr uint64_t kNone = ~uint64_t{0};

struct Level {
  const void *objectness, *deltas;    // of one image
  int64_t height, width, first, top;  // first anchor of the level; how many of it are looked at
  int64_t channels[2];                // of both maps as stored, where blocked
  float stride_x, stride_y;
};

struct Anchors {
  Level levels[kLevels];
  int32_t count, anchors;
  int64_t all, pre_nms, post_nms;
  bool blocked;
  float image_height, image_width, min_size, score_thresh;
};

template <class T>
NLRCNN_DEVICE float value_at(const void* map, const Level& level, int which, bool blocked, int64_t channels,
                             int64_t place, int64_t channel) {
  const int64_t places = level.height * level.width;
  const Span<const T> values(static_cast<const T*>(map),
                             static_cast<size_t>(places * (blocked ? level.channels[which] : channels)));
  return to_float(values[blocked ? place * level.channels[which] + channel : channel * places + place]);
}

NLRCNN_DEVICE int level_at(const Anchors& a, int64_t i) {
  int l = 0;
  while (l + 1 < a.count && i >= a.levels[l + 1].first) ++l;
  return l;
}

// A key for every anchor: level, then falling objectness, then place and anchor, which is torchvision's
// order and that of the threads.
template <class T>
NLRCNN_KERNEL void make_keys(Anchors a, Span<uint64_t> keys) {
  const int64_t i = global_index();
  if (i >= a.all) return;
  const int l = level_at(a, i);
  const Level& level = a.levels[l];
  const int64_t index = i - level.first;
  const float logit =
      value_at<T>(level.objectness, level, 0, a.blocked, a.anchors, index / a.anchors, index % a.anchors);
  keys[i] = static_cast<uint64_t>(l) << 60 | static_cast<uint64_t>(falling_key(logit)) << kIndexBits |
            static_cast<uint64_t>(index);
}

// The best of each level, decoded and clipped; slot l · pre_nms + rank.
template <class T>
NLRCNN_KERNEL void decode(Anchors a, Span<const float> cells, Span<const Geometry> geometry,
                          Span<const uint64_t> sorted, Span<Box> boxes, Span<float> scores,
                          Span<uint8_t> candidate, Span<int32_t> ranges) {
  const int64_t i = global_index();
  if (i >= a.count * a.pre_nms) return;
  const int64_t l = i / a.pre_nms, rank = i % a.pre_nms;
  const Level& level = a.levels[l];
  if (rank == 0) {
    ranges[2 * l] = static_cast<int32_t>(i);
    ranges[2 * l + 1] = static_cast<int32_t>(i + level.top);
  }
  candidate[i] = 0;
  if (rank >= level.top) return;
  const uint64_t key = sorted[level.first + rank];
  const auto index = static_cast<int64_t>(key & ((uint64_t{1} << kIndexBits) - 1));
  const int64_t place = index / a.anchors, anchor = index % a.anchors;
  const float logit = value_at<T>(level.objectness, level, 0, a.blocked, a.anchors, place, anchor);
  float delta[4];
  for (int k = 0; k < 4; ++k)
    delta[k] = value_at<T>(level.deltas, level, 1, a.blocked, 4 * a.anchors, place, 4 * anchor + k);
  const float x = static_cast<float>(place % level.width) * level.stride_x,
              y = static_cast<float>(place / level.width) * level.stride_y;
  const int64_t cell = (l * a.anchors + anchor) * 4;
  const Box from{x + cells[cell], y + cells[cell + 1], x + cells[cell + 2], y + cells[cell + 3]};
  const float weights[4] = {1, 1, 1, 1};
  const float height = geometry ? geometry[0].resized_height : a.image_height,
              width = geometry ? geometry[0].resized_width : a.image_width;
  const Box box = clip_box(decode_box(from, delta, weights), height, width);
  const float score = 1.0f / (1.0f + expf(-logit));
  boxes[i] = box;
  scores[i] = score;
  candidate[i] = box_large_enough(box, a.min_size) && score >= a.score_thresh;
}

NLRCNN_KERNEL void merge_keys(Span<const uint8_t> keep, Span<const uint8_t> candidate,
                              Span<const float> scores, Span<uint64_t> keys, int64_t n) {
  const int64_t i = global_index();
  if (i >= n) return;
  const bool stays = candidate[i] && keep[i];
  keys[i] = stays ? static_cast<uint64_t>(falling_key(scores[i])) << 32 | static_cast<uint64_t>(i) : kNone;
}

NLRCNN_KERNEL void write(Span<const uint64_t> sorted, Span<const Box> boxes, Span<const float> scores,
                         Span<Box> out, Span<float> out_scores, Span<int32_t> count, int64_t n,
                         int64_t post_nms) {
  const int64_t i = global_index();
  if (i >= post_nms) return;
  const uint64_t key = i < n ? sorted[i] : kNone;
  const bool there = key != kNone;
  const auto from = static_cast<int64_t>(key & 0xffffffffu);
  out[i] = there ? boxes[from] : Box{0, 0, 0, 0};
  out_scores[i] = there ? scores[from] : 0.0f;
  const bool next = i + 1 < post_nms && i + 1 < n && sorted[i + 1] != kNone;
  if (there && !next) count[0] = static_cast<int32_t>(i + 1);
  if (i == 0 && !there) count[0] = 0;
}

class RpnProposals : public Kernel {
 public:
  explicit RpnProposals(const OpCall& call) : call_(call), levels_(call.in.size() / 2) {}

  Status init() {
    rpn_proposals::Settings& s = settings_;
    if (Status status = rpn_proposals::read_settings(call_, &s); !status.ok()) return status;
    const int64_t anchors = call_.in[0].shape[1];
    a_.blocked = call_.in[0].layout == Layout::blocked;
    if (levels_ > kLevels || anchors > kAnchors)
      return Status::error(Code::unsupported,
                           "Expected at most 8 levels and 32 anchors for rpn_proposals on CUDA");
    int64_t longest = 0;
    for (size_t l = 0; l < levels_; ++l) {
      const Shape& map = call_.in[l].shape;
      const int64_t count = anchors * map[2] * map[3];
      if (count >> kIndexBits)
        return Status::error(Code::unsupported,
                             "Expected fewer than 2^28 anchors on a level for rpn_proposals");
      if (call_.in[l].layout != call_.in[0].layout || call_.in[levels_ + l].layout != call_.in[0].layout)
        return Status::error(Code::unsupported, "Expected all maps of rpn_proposals in one layout");
      a_.levels[l] = {nullptr,
                      nullptr,
                      map[2],
                      map[3],
                      a_.all,
                      std::min(count, s.pre_nms_top_n),
                      {padded(anchors), padded(4 * anchors)},
                      static_cast<float>(s.padded_size[1] / map[3]),
                      static_cast<float>(s.padded_size[0] / map[2])};
      longest = std::max(longest, a_.levels[l].top);
      a_.all += count;
    }
    a_.count = static_cast<int32_t>(levels_);
    a_.anchors = static_cast<int32_t>(anchors);
    a_.pre_nms = longest;
    a_.post_nms = s.post_nms_top_n;
    a_.image_height = static_cast<float>(s.image_size[0]);
    a_.image_width = static_cast<float>(s.image_size[1]);
    a_.min_size = static_cast<float>(s.min_size);
    a_.score_thresh = static_cast<float>(s.score_thresh);
    slots_ = a_.count * a_.pre_nms;
    const int64_t keys = std::max(a_.all, slots_);
    keys_ = layout_.take(keys * sizeof(uint64_t));
    sorted_ = layout_.take(keys * sizeof(uint64_t));
    sort_ = layout_.take(sort_workspace_bytes(keys));
    boxes_ = layout_.take(slots_ * sizeof(Box));
    scores_ = layout_.take(slots_ * sizeof(float));
    candidate_ = layout_.take(slots_);
    keep_ = layout_.take(slots_);
    ranges_ = layout_.take(2 * levels_ * sizeof(int32_t));
    mask_ = layout_.take(Suppression::mask_bytes(slots_, a_.pre_nms));
    return upload_cells();
  }
  size_t workspace_bytes() const override { return layout_.bytes(); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    if (!cells_on_device_)
      if (Status s =
              copy_to_device(stream, device_cells_->data(), pinned_cells_->data(), pinned_cells_->bytes());
          !s.ok())
        return s;
    cells_on_device_ = true;
    for (int64_t n = 0; n < call_.in[0].shape[0]; ++n)
      if (Status s = choose(context, n); !s.ok()) return s;
    return {};
  }

 private:
  // Of one image.
  Status choose(RunContext& context, int64_t image) {
    Stream& stream = stream_of(context);
    char* w = static_cast<char*>(context.workspace);
    Anchors a = a_;
    for (size_t l = 0; l < levels_; ++l) {
      a.levels[l].objectness = map_of(context, l, image);
      a.levels[l].deltas = map_of(context, levels_ + l, image);
    }
    const auto cells = span<const float>(device_cells_->data(), levels_ * a.anchors * 4);
    const auto* geometries = call_.in.size() % 2 ? context.in.back().as<const Geometry>() : nullptr;
    const Span<const Geometry> geometry(geometries ? geometries + image : nullptr, 1);
    const auto keys = span<uint64_t>(w + keys_, a.all), sorted = span<uint64_t>(w + sorted_, a.all);
    const auto boxes = span<Box>(w + boxes_, slots_);
    const auto scores = span<float>(w + scores_, slots_);
    const auto candidate = span<uint8_t>(w + candidate_, slots_);
    const auto ranges = span<int32_t>(w + ranges_, 2 * levels_);
    Status status = with_type(call_.in[0].dtype, [&](auto type) {
      return launch(stream, "rpn keys", grid_of(a.all), kThreads, make_keys<decltype(type)>, a, keys);
    });
    if (status.ok()) status = sort_keys(stream, keys.data, sorted.data, a.all, kIndexBits, 63, w + sort_);
    if (status.ok())
      status = with_type(call_.in[0].dtype, [&](auto type) {
        return launch(stream, "rpn decode", grid_of(slots_), kThreads, decode<decltype(type)>, a, cells,
                      geometry, sorted, boxes, scores, candidate, ranges);
      });
    if (!status.ok()) return status;
    Suppression s;
    s.boxes = boxes;
    s.ranges = ranges;
    s.lists = a.count;
    s.longest = a.pre_nms;
    s.candidate = candidate;
    s.mask = span<uint64_t>(w + mask_, slots_ * s.words());
    s.keep = span<uint8_t>(w + keep_, slots_);
    s.threshold = settings_.nms_thresh;
    status = suppress(stream, s);
    const auto kept = span<uint64_t>(w + keys_, slots_), merged = span<uint64_t>(w + sorted_, slots_);
    if (status.ok())
      status = launch(stream, "rpn merge", grid_of(slots_), kThreads, merge_keys, s.keep, candidate, scores,
                      kept, slots_);
    if (status.ok()) status = sort_keys(stream, kept.data, merged.data, slots_, 32, 64, w + sort_);
    if (!status.ok()) return status;
    return launch(stream, "rpn_proposals", grid_of(a.post_nms), kThreads, write, merged, boxes, scores,
                  span<Box>(context.out[0].as<Box>() + image * a.post_nms, a.post_nms),
                  span<float>(context.out[1].as<float>() + image * a.post_nms, a.post_nms),
                  span<int32_t>(context.out[2].as<int32_t>() + image, 1), slots_, a.post_nms);
  }

  const void* map_of(const RunContext& context, size_t input, int64_t image) const {
    const TensorDesc& desc = call_.in[input];
    return context.in[input].as<char>() + image * (desc.bytes(kBlock) / desc.shape[0]);
  }

  Status upload_cells() {
    const size_t bytes = settings_.cell_anchors.size() * sizeof(float);
    auto device = allocate_device(bytes);
    if (!device.ok()) return device.status();
    auto pinned = allocate_pinned(bytes);
    if (!pinned.ok()) return pinned.status();
    std::memcpy(pinned.value()->data(), settings_.cell_anchors.data(), bytes);
    device_cells_ = std::move(device.value());
    pinned_cells_ = std::move(pinned.value());
    return {};
  }

  OpCall call_;
  size_t levels_;
  rpn_proposals::Settings settings_;
  Anchors a_{};
  int64_t slots_ = 0;
  Layouter layout_;
  std::shared_ptr<Storage> device_cells_, pinned_cells_;
  bool cells_on_device_ = false;
  size_t keys_ = 0, sorted_ = 0, sort_ = 0, boxes_ = 0, scores_ = 0, candidate_ = 0, keep_ = 0, ranges_ = 0,
         mask_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_rpn_proposals(const OpCall& call, Stream&) {
  return made(std::make_unique<RpnProposals>(call));
}

}  // namespace nlrcnn::cuda
