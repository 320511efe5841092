#include "ops/mask_rle.h"

#include "cuda/paste.h"

// A mask becomes its COCO RLE in four steps, none of which holds a bitmap: the positions (column by column)
// where covered and uncovered pixels change, their number per column first; how many characters each run
// takes; where each mask's text begins; the characters.
namespace nlrcnn::cuda {
namespace {

constexpr int kHeader = 16;  // bytes before a dynamic output
constexpr int kStrips = 16;  // of a mask, each one block's work

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

// Whether a pixel of the box is covered.
NLRCNN_DEVICE bool covers(Span<const float> probs, const PastedMask& m, const Paste& p, int64_t k,
                          const PasteSample& sx, int64_t y) {
  const PasteSample sy = paste_sample(y - m.top, m.box_height, m.side);
  const float above = blended(probs, k * p.side * p.side, m.side, sy.low, sx),
              below = blended(probs, k * p.side * p.side, m.side, sy.high, sx);
  return (1 - sy.weight) * above + sy.weight * below > p.threshold;
}

// A warp walks down a column of the box, 32 rows at a time: visit(row, changes), bit i of which says that row
// + i differs from the pixel before it. The last pixel of a column is before the first of the next.
template <class Visit>
NLRCNN_DEVICE void walk_column(Span<const float> probs, const PastedMask& m, const Paste& p, int64_t k,
                               int64_t x, Visit visit) {
  const int lane = thread_index() % 32;
  const bool to_end = m.y1 == p.height;
  bool covered = false;
  if (to_end && x > m.x0) {
    const PasteSample left = paste_sample(x - 1 - m.left, m.box_width, m.side);
    covered = covers(probs, m, p, k, left, m.y1 - 1);
  }
  if (m.y0 > 0) {  // above the box nothing is
    visit(int64_t{0}, covered ? 1u : 0u);
    covered = false;
  }
  const PasteSample sx = paste_sample(x - m.left, m.box_width, m.side);
  const int64_t end = to_end ? m.y1 : m.y1 + 1;  // below the box nothing is
  for (int64_t row = m.y0; row < end; row += 32) {
    const int64_t y = row + lane;
    const uint32_t bits = ballot(y < m.y1 && covers(probs, m, p, k, sx, y));
    const int left = static_cast<int>(end - row < 32 ? end - row : 32);
    const uint32_t inside = left < 32 ? (1u << left) - 1 : ~0u;
    visit(row, (bits ^ (bits << 1 | (covered ? 1u : 0u))) & inside);
    covered = bits >> (left - 1) & 1;
  }
  // The box's last column gives way to uncovered ones.
  if (x == m.x1 - 1 && x + 1 < p.width) visit(p.height, covered ? 1u : 0u);
}

// Columns of one of the kStrips strips of a box.
struct Strip {
  int64_t begin, end;
};
NLRCNN_DEVICE Strip strip_of(const PastedMask& m, int64_t strip) {
  if (m.y1 == m.y0) return {0, 0};
  const int64_t each = (m.x1 - m.x0 + kStrips - 1) / kStrips;
  const int64_t begin = m.x0 + strip * each, end = begin + each < m.x1 ? begin + each : m.x1;
  return {begin, end};
}

NLRCNN_DEVICE int32_t changes_of(Span<const float> probs, const PastedMask& m, const Paste& p, int64_t k,
                                 int64_t x) {
  int32_t n = 0;
  walk_column(probs, m, p, k, x, [&](int64_t, uint32_t changes) { n += count_bits(changes); });
  return n;
}

// One block for each strip of each mask, a warp for each column: how many changes.
NLRCNN_KERNEL void count_changes(Span<const float> probs, Span<const Box> boxes, Span<const int32_t> count,
                                 Span<const Geometry> geometry, Span<int32_t> strips, Paste p) {
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  sized(p, geometry);
  const int64_t k = block_x() / kStrips;
  if (k >= rows_of(count, p.rows)) return;
  const PastedMask m = paste_box(boxes[k], p.side, p.height, p.width);
  const Strip strip = strip_of(m, block_x() % kStrips);
  const int warp = thread_index() / 32;
  int32_t own = 0;
  for (int64_t x = strip.begin + warp; x < strip.end; x += kThreads / 32)
    own += changes_of(probs, m, p, k, x);
  if (thread_index() % 32 == 0) sums[warp] = own;
  barrier();
  if (thread_index() > 0) return;
  for (int w = 1; w < kThreads / 32; ++w) own += sums[w];
  strips[block_x()] = own;
}

// The same blocks: changes[k · slots …] rising, and how many.
NLRCNN_KERNEL void find_changes(Span<const float> probs, Span<const Box> boxes, Span<const int32_t> count,
                                Span<const Geometry> geometry, Span<const int32_t> strips,
                                Span<int32_t> changes, Span<int32_t> counts, Paste p) {
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  sized(p, geometry);
  const int64_t k = block_x() / kStrips, own = block_x() % kStrips;
  const bool last = own == kStrips - 1 && thread_index() == 0;
  if (k >= rows_of(count, p.rows)) {
    if (last) counts[k] = 0;
    return;
  }
  int32_t at = 0;
  for (int64_t s = 0; s < own; ++s) at += strips[k * kStrips + s];
  if (last) counts[k] = at + strips[block_x()];
  if (strips[block_x()] == 0) return;
  const PastedMask m = paste_box(boxes[k], p.side, p.height, p.width);
  const Strip strip = strip_of(m, own);
  const int warp = thread_index() / 32, lane = thread_index() % 32;
  for (int64_t first = strip.begin; first < strip.end; first += kThreads / 32) {
    const int64_t x = first + warp;
    const int32_t n = x < strip.end ? changes_of(probs, m, p, k, x) : 0;
    if (lane == 0) sums[warp] = n;
    barrier();
    int32_t next = at;
    for (int w = 0; w < kThreads / 32; ++w) {
      const int32_t sum = sums[w];
      if (w < warp) next += sum;
      at += sum;
    }
    if (n > 0)
      walk_column(probs, m, p, k, x, [&](int64_t row, uint32_t found) {
        const int32_t slot = next + count_bits(found & ((1u << lane) - 1));
        if (found >> lane & 1 && slot < p.slots)
          changes[k * p.slots + slot] = static_cast<int32_t>(x * p.height + row + lane);
        next += count_bits(found);
      });
    barrier();
  }
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

// One block: where each text begins. A mask without room for its changes says so through the number of
// bytes.
NLRCNN_KERNEL void place_texts(Span<const int32_t> counts, Span<const int32_t> lengths,
                               Span<const int32_t> count, Span<int32_t> header, Span<int32_t> offsets,
                               Paste p, int64_t bytes_per_change) {
  NLRCNN_SHARED(int32_t, sums, kThreads / 32);
  NLRCNN_SHARED(int32_t, most, kThreads / 32);
  const int64_t rows = rows_of(count, p.rows);
  const int t = thread_index();
  int32_t at = 0, needed = 0;
  for (int64_t first = 0; first < rows; first += kThreads) {
    const int64_t k = first + t;
    const Scanned scanned = scan_block(sums, k < rows ? lengths[k] : 0);
    if (k < rows) {
      offsets[4 + k] = at + scanned.before;
      needed = counts[k] > needed ? counts[k] : needed;
    }
    at += scanned.all;
  }
  for (int step = 16; step > 0; step /= 2) {
    const int32_t other = shuffle_xor(needed, step);
    needed = other > needed ? other : needed;
  }
  if (t % 32 == 0) most[t / 32] = needed;
  barrier();
  if (t > 0) return;
  for (int w = 1; w < kThreads / 32; ++w) {
    const int32_t other = most[w];
    needed = other > needed ? other : needed;
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
    const auto strips = span<int32_t>(w + strips_, rows_ * kStrips);
    const Grid blocks{static_cast<uint32_t>(rows_ * kStrips)};
    Status s = launch(stream, "mask counts", blocks, kThreads, count_changes, probs, boxes, count, geometry,
                      strips, p);
    if (s.ok())
      s = launch(stream, "mask changes", blocks, kThreads, find_changes, probs, boxes, count, geometry,
                 Span<const int32_t>(strips), changes, counts, p);
    if (s.ok())
      s = launch(stream, "mask lengths", masks, kThreads, measure, changes, counts, count, geometry, lengths,
                 p);
    if (s.ok())
      s = launch(stream, "mask offsets", {1}, kThreads, place_texts, counts, lengths, count, header, offsets,
                 p, kBytesPerSlot * std::max<int64_t>(rows_, 1));
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
    strips_ = layout_.take(rows_ * kStrips * sizeof(int32_t));
  }

  OpCall call_;
  int64_t rows_, side_, capacity_ = 0, slots_ = 0;
  paste_masks::Settings settings_{};
  Layouter layout_;
  size_t changes_ = 0, counts_ = 0, lengths_ = 0, strips_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_rle(const OpCall& call, Stream&) {
  return made(std::make_unique<MaskRle>(call));
}

}  // namespace nlrcnn::cuda
