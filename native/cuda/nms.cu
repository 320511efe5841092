#include "ops/nms.h"

#include "cuda/suppression.h"

namespace nlrcnn::cuda {
namespace {

constexpr int kHeader = 4;  // int32s before a dynamic output

NLRCNN_KERNEL void make_keys(Span<const float> scores, Span<uint64_t> keys, Span<int32_t> ranges, int64_t n) {
  const int64_t i = global_index();
  if (i < 2) ranges[i] = i == 0 ? 0 : static_cast<int32_t>(n);
  if (i < n) keys[i] = static_cast<uint64_t>(falling_key(scores[i])) << 32 | static_cast<uint64_t>(i);
}

NLRCNN_KERNEL void gather(Span<const uint64_t> sorted, Span<const Box> boxes, Span<const int32_t> groups,
                          Span<Box> sorted_boxes, Span<int32_t> sorted_groups, int64_t n) {
  const int64_t i = global_index();
  if (i >= n) return;
  const auto index = static_cast<int64_t>(sorted[i] & 0xffffffffu);
  sorted_boxes[i] = boxes[index];
  if (groups) sorted_groups[i] = groups[index];
}

// One block: the indices of what stays, in order.
NLRCNN_KERNEL void compact(Span<const uint64_t> sorted, Span<const uint8_t> keep, Span<int32_t> out,
                           int64_t n) {
  NLRCNN_SHARED(int32_t, counts, kThreads);
  const int t = thread_index();
  const int64_t each = (n + kThreads - 1) / kThreads;
  const int64_t first = t * each < n ? t * each : n, last = first + each < n ? first + each : n;
  int32_t own = 0;
  for (int64_t i = first; i < last; ++i) own += keep[i];
  counts[t] = own;
  barrier();
  int32_t at = 0, all = 0;
  for (int i = 0; i < kThreads; ++i) {
    const int32_t c = counts[i];
    if (i < t) at += c;
    all += c;
  }
  for (int64_t i = first; i < last; ++i)
    if (keep[i]) out[kHeader + at++] = static_cast<int32_t>(sorted[i] & 0xffffffffu);
  if (t == 0) out[0] = all;
}

class Nms : public Kernel {
 public:
  explicit Nms(const OpCall& call)
      : rows_(call.in[0].shape[0]), threshold_(call.attrs.number("threshold", 0.5)), grouped_(call.has(2)) {}

  Status init() {
    keys_ = layout_.take(rows_ * sizeof(uint64_t));
    sorted_ = layout_.take(rows_ * sizeof(uint64_t));
    sort_ = layout_.take(sort_workspace_bytes(rows_));
    boxes_ = layout_.take(rows_ * sizeof(Box));
    groups_ = layout_.take(rows_ * sizeof(int32_t));
    ranges_ = layout_.take(2 * sizeof(int32_t));
    keep_ = layout_.take(rows_);
    mask_ = layout_.take(Suppression::mask_bytes(rows_, std::min(rows_, kLongestList)));
    return {};
  }
  size_t workspace_bytes() const override { return layout_.bytes(); }
  int64_t capacity(size_t) const override { return rows_; }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    char* w = static_cast<char*>(context.workspace);
    const auto keys = span<uint64_t>(w + keys_, rows_), sorted = span<uint64_t>(w + sorted_, rows_);
    const auto boxes = span<Box>(w + boxes_, rows_);
    const auto groups = span<int32_t>(w + groups_, rows_), ranges = span<int32_t>(w + ranges_, 2);
    const auto out = span<int32_t>(context.out[0].data, rows_ + kHeader);
    if (rows_ == 0) return fill_bytes(stream, out.data, 0, sizeof(int32_t));
    Status status = launch(stream, "nms keys", grid_of(std::max<int64_t>(rows_, 2)), kThreads, make_keys,
                           span<const float>(context.in[1]), keys, ranges, rows_);
    if (status.ok()) status = sort_keys(stream, keys.data, sorted.data, rows_, 32, 64, w + sort_);
    if (status.ok())
      status = launch(stream, "nms gather", grid_of(rows_), kThreads, gather, sorted,
                      span<const Box>(context.in[0].data, rows_), span<const int32_t>(context.in[2]), boxes,
                      groups, rows_);
    if (!status.ok()) return status;
    Suppression s;
    s.boxes = boxes;
    s.ranges = ranges;
    s.lists = 1;
    s.longest = rows_;
    if (grouped_) s.groups = groups;
    s.mask = span<uint64_t>(w + mask_, rows_ * s.words());
    s.keep = span<uint8_t>(w + keep_, rows_);
    s.threshold = threshold_;
    status = suppress(stream, s);
    if (!status.ok()) return status;
    return launch(stream, "nms indices", {1}, kThreads, compact, sorted, s.keep, out, rows_);
  }

 private:
  int64_t rows_;
  double threshold_;
  bool grouped_;
  Layouter layout_;
  size_t keys_ = 0, sorted_ = 0, sort_ = 0, boxes_ = 0, groups_ = 0, ranges_ = 0, keep_ = 0, mask_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_nms(const OpCall& call, Stream&) {
  return made(std::make_unique<Nms>(call));
}

}  // namespace nlrcnn::cuda
