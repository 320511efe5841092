#include "ops/mask_rle.h"

#include "cuda/paste.h"

// A mask becomes its COCO RLE in four steps, none of which holds a bitmap: the positions (column by column)
// where covered and uncovered pixels change, their number per column first; how many characters each run
// takes; where each mask's text begins; the characters.
namespace nlrcnn::cuda {
namespace {

constexpr int kHeader = 16;  // bytes before a dynamic output

struct Paste {
  int64_t rows, side, height, width;
  float threshold;
  int64_t slots;  // changes of one mask that there is room for
};

NLRCNN_DEVICE void sized(Paste& p, Span<const Geometry> geometry) {
  if (!geometry) return;
  p.height = static_cast<int64_t>(geometry[0].height);
  p.width = static_cast<int64_t>(geometry[0].width);
}

// Walks down a column: visit(row) at each change, with covered pixels before the first row and after the last
// counting as the neighbouring columns' pixels do.
template <class Visit>
NLRCNN_DEVICE bool walk_column(Span<const float> probs, const PastedMask& m, const Paste& p, int64_t k,
                               int64_t x, bool before, Visit visit) {
  const PasteSample sx = paste_sample(x - m.left, m.box_width, m.side);
  bool covered = before;
  int64_t held = -1;
  float above = 0, below = 0;
  // Above the box nothing is covered.
  if (m.y0 > 0 && covered) {
    visit(int64_t{0});
    covered = false;
  }
  for (int64_t y = m.y0; y < m.y1; ++y) {
    const PasteSample sy = paste_sample(y - m.top, m.box_height, m.side);
    if (sy.low != held) {
      above = blended(probs, k * p.side * p.side, m.side, sy.low, sx);
      below = blended(probs, k * p.side * p.side, m.side, sy.high, sx);
      held = sy.low;
    }
    const bool now = (1 - sy.weight) * above + sy.weight * below > p.threshold;
    if (now != covered) visit(y);
    covered = now;
  }
  if (m.y1 < p.height && covered) {
    visit(m.y1);
    covered = false;
  }
  return covered;
}

// Whether the last pixel of a column is covered, which is where the next column begins.
NLRCNN_DEVICE bool ends_covered(Span<const float> probs, const PastedMask& m, const Paste& p, int64_t k,
                                int64_t x) {
  if (x < m.x0 || x >= m.x1 || m.y1 < p.height || m.y1 == m.y0) return false;
  const PasteSample sx = paste_sample(x - m.left, m.box_width, m.side),
                    sy = paste_sample(m.y1 - 1 - m.top, m.box_height, m.side);
  const float above = blended(probs, k * p.side * p.side, m.side, sy.low, sx),
              below = blended(probs, k * p.side * p.side, m.side, sy.high, sx);
  return (1 - sy.weight) * above + sy.weight * below > p.threshold;
}

// One block for each mask: changes[k · slots …] rising, and how many.
NLRCNN_KERNEL void find_changes(Span<const float> probs, Span<const Box> boxes, Span<const int32_t> count,
                                Span<const Geometry> geometry, Span<int32_t> changes, Span<int32_t> counts,
                                Paste p) {
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  sized(p, geometry);
  const int64_t k = block_x();
  if (k >= rows_of(count, p.rows)) {
    if (thread_index() == 0) counts[k] = 0;
    return;
  }
  const PastedMask m = paste_box(boxes[k], p.side, p.height, p.width);
  const bool open = m.y1 > m.y0;
  int32_t at = 0;
  for (int64_t first = m.x0; open && first < m.x1; first += kThreads) {
    const int64_t x = first + thread_index();
    int32_t own = 0;
    const bool inside = x < m.x1, before = inside && ends_covered(probs, m, p, k, x - 1);
    if (inside) {
      const bool end = walk_column(probs, m, p, k, x, before, [&](int64_t) { ++own; });
      // The mask's last column gives way to uncovered ones.
      if (end && x == m.x1 - 1 && x + 1 < p.width) ++own;
    }
    const Scanned scanned = scan_block(sums, own);
    int32_t next = at + scanned.before;
    if (inside && own > 0) {
      const bool end = walk_column(probs, m, p, k, x, before, [&](int64_t y) {
        if (next < p.slots) changes[k * p.slots + next] = static_cast<int32_t>(x * p.height + y);
        ++next;
      });
      if (end && x == m.x1 - 1 && x + 1 < p.width && next < p.slots)
        changes[k * p.slots + next] = static_cast<int32_t>((x + 1) * p.height);
    }
    at += scanned.all;
  }
  if (thread_index() == 0) counts[k] = at;
}

// Run i of a mask: from the change before it to the next.
NLRCNN_DEVICE int64_t run_at(Span<const int32_t> changes, int64_t first, int32_t n, int64_t total,
                             int64_t i) {
  const int64_t from = i == 0 ? 0 : changes[first + i - 1], to = i < n ? changes[first + i] : total;
  return to - from;
}
NLRCNN_DEVICE int64_t value_of_run(Span<const int32_t> changes, int64_t first, int32_t n, int64_t total,
                                   int64_t i) {
  const int64_t run = run_at(changes, first, n, total, i);
  return i > 2 ? run - run_at(changes, first, n, total, i - 2) : run;
}

// COCO's digits of 5 bits, the lowest first: calls emit(character) for each.
template <class Emit>
NLRCNN_DEVICE void digits(int64_t value, Emit emit) {
  bool more = true;
  while (more) {
    int digit = static_cast<int>(value & 0x1f);
    value >>= 5;
    more = digit & 0x10 ? value != -1 : value != 0;
    if (more) digit |= 0x20;
    emit(static_cast<uint8_t>(digit + 48));
  }
}

// One block for each mask: characters of its text; `lengths[k]` where it fits.
NLRCNN_KERNEL void measure(Span<const int32_t> changes, Span<const int32_t> counts, Span<const int32_t> count,
                           Span<const Geometry> geometry, Span<int32_t> lengths, Paste p) {
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  sized(p, geometry);
  const int64_t k = block_x(), first = k * p.slots, total = p.height * p.width;
  if (k >= rows_of(count, p.rows) || counts[k] > p.slots) {
    if (thread_index() == 0) lengths[k] = 0;
    return;
  }
  const int32_t n = counts[k], runs = n + 1;
  int32_t own = 0;
  for (int32_t i = thread_index(); i < runs; i += kThreads)
    digits(value_of_run(changes, first, n, total, i), [&](uint8_t) { ++own; });
  const Scanned scanned = scan_block(sums, own);
  if (thread_index() == 0) lengths[k] = scanned.all;
}

// One thread: where each text begins. A mask without room for its changes says so through the number of
// bytes.
NLRCNN_KERNEL void place_texts(Span<const int32_t> counts, Span<const int32_t> lengths,
                               Span<const int32_t> count, Span<int32_t> header, Span<int32_t> offsets,
                               Paste p, int64_t bytes_per_change) {
  if (thread_index() != 0) return;
  const int64_t rows = rows_of(count, p.rows);
  int32_t at = 0, needed = 0;
  for (int64_t k = 0; k < rows; ++k) {
    offsets[4 + k] = at;
    at += lengths[k];
    if (counts[k] > needed) needed = counts[k];
  }
  offsets[4 + rows] = at;
  offsets[0] = static_cast<int32_t>(rows + 1);
  // Room for changes grows with the bytes, so ask for as many as give enough.
  const int64_t wanted = needed > p.slots ? needed * bytes_per_change : at;
  header[0] = static_cast<int32_t>(wanted < 0x7fffffff ? wanted : 0x7fffffff);
}

// One block for each mask.
NLRCNN_KERNEL void write_texts(Span<const int32_t> changes, Span<const int32_t> counts,
                               Span<const int32_t> count, Span<const Geometry> geometry,
                               Span<const int32_t> offsets, Span<uint8_t> bytes, Paste p, int64_t capacity) {
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  sized(p, geometry);
  const int64_t k = block_x(), first = k * p.slots, total = p.height * p.width;
  if (k >= rows_of(count, p.rows) || counts[k] > p.slots) return;
  const int32_t n = counts[k], runs = n + 1;
  int64_t at = offsets[4 + k];
  for (int32_t start = 0; start < runs; start += kThreads) {
    const int32_t i = start + thread_index();
    int32_t own = 0;
    if (i < runs) digits(value_of_run(changes, first, n, total, i), [&](uint8_t) { ++own; });
    const Scanned scanned = scan_block(sums, own);
    int64_t next = at + scanned.before;
    if (i < runs)
      digits(value_of_run(changes, first, n, total, i), [&](uint8_t character) {
        if (next < capacity) bytes[kHeader + next] = character;
        ++next;
      });
    at += scanned.all;
  }
}

class MaskRle : public Kernel {
 public:
  explicit MaskRle(const OpCall& call)
      : call_(call), rows_(call.in[0].shape[0]), side_(call.in[0].shape[1]) {}

  Status init() {
    if (Status s = paste_masks::read_settings(call_, &settings_); !s.ok()) return s;
    resize(std::max<int64_t>(rows_, 1) * 4096);
    return {};
  }
  size_t workspace_bytes() const override { return layout_.bytes(); }
  int64_t capacity(size_t output) const override { return output == 0 ? capacity_ : rows_ + 1; }
  bool grow(size_t output, int64_t wanted) override {
    if (output != 0 || wanted > int64_t{1} << 31) return output != 0;
    if (wanted > capacity_) resize(std::max(wanted, 2 * capacity_));
    return true;
  }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    char* w = static_cast<char*>(context.workspace);
    Paste p{rows_, side_, settings_.height, settings_.width, static_cast<float>(settings_.threshold), slots_};
    const auto probs = span<const float>(context.in[0]);
    const auto boxes = span<const Box>(context.in[1].data, rows_);
    const auto count = span<const int32_t>(context.in[2]);
    const auto geometry = span<const Geometry>(context.in[3].data, 1);
    const auto changes = span<int32_t>(w + changes_, rows_ * slots_),
               counts = span<int32_t>(w + counts_, rows_), lengths = span<int32_t>(w + lengths_, rows_);
    const auto bytes = span<uint8_t>(context.out[0].data, capacity_ + kHeader);
    const auto header = span<int32_t>(context.out[0].data, 1);
    const auto offsets = span<int32_t>(context.out[1].data, rows_ + 1 + 4);
    const Grid masks{static_cast<uint32_t>(rows_)};
    Status s = launch(stream, "mask changes", masks, kThreads, find_changes, probs, boxes, count, geometry,
                      changes, counts, p);
    if (s.ok())
      s = launch(stream, "mask lengths", masks, kThreads, measure, changes, counts, count, geometry, lengths,
                 p);
    if (s.ok())
      s = launch(stream, "mask offsets", {1}, 32, place_texts, counts, lengths, count, header, offsets, p,
                 kBytesPerSlot * std::max<int64_t>(rows_, 1));
    if (!s.ok()) return s;
    return launch(stream, "mask_rle", masks, kThreads, write_texts, changes, counts, count, geometry, offsets,
                  bytes, p, capacity_);
  }

 private:
  // Bytes of the texts for each change of one mask: with n masks, n · kBytesPerSlot · slots bytes.
  static constexpr int64_t kBytesPerSlot = 2;

  void resize(int64_t capacity) {
    capacity_ = capacity;
    slots_ = ceil_div(capacity, kBytesPerSlot * std::max<int64_t>(rows_, 1));
    layout_ = {};
    changes_ = layout_.take(rows_ * slots_ * sizeof(int32_t));
    counts_ = layout_.take(rows_ * sizeof(int32_t));
    lengths_ = layout_.take(rows_ * sizeof(int32_t));
  }

  OpCall call_;
  int64_t rows_, side_, capacity_ = 0, slots_ = 0;
  paste_masks::Settings settings_{};
  Layouter layout_;
  size_t changes_ = 0, counts_ = 0, lengths_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_rle(const OpCall& call, Stream&) {
  return made(std::make_unique<MaskRle>(call));
}

}  // namespace nlrcnn::cuda
