#include "masks/rle.h"

#include <algorithm>
#include <cmath>

namespace nlrcnn {
namespace {

// Calls visit(from, to) for each run of ones.
template <class Visit>
void each_run(const Rle& rle, Visit visit) {
  int64_t at = 0;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t end = at + rle.counts[i];
    if (i % 2 && end > at) visit(at, end);
    at = end;
  }
}

struct Extent {
  int64_t begin = 0, end = 0, area = 0;  // of its ones
};

Extent extent(const Rle& rle) {
  Extent out;
  each_run(rle, [&](int64_t from, int64_t to) {
    if (out.area == 0) out.begin = from;
    out.end = to;
    out.area += to - from;
  });
  return out;
}

int64_t intersection(const Rle& a, const Rle& b) {
  int64_t both = 0, end_a = 0, end_b = 0, at = 0;
  size_t i = 0, j = 0;  // the counts that `end_a` and `end_b` lie behind
  while (i < a.counts.size() && j < b.counts.size()) {
    if (end_a <= at) end_a = at + a.counts[i];
    if (end_b <= at) end_b = at + b.counts[j];
    const int64_t next = std::min(end_a, end_b);
    if (i % 2 && j % 2) both += next - at;
    at = next;
    if (end_a == at) ++i;
    if (end_b == at) ++j;
  }
  return both;
}

}  // namespace

void RunWriter::add(int64_t from, int64_t to) {
  if (from >= to) return;
  if (from == end_ && !counts_.empty()) {
    counts_.back() += static_cast<uint32_t>(to - from);
  } else {
    counts_.push_back(static_cast<uint32_t>(from - end_));
    counts_.push_back(static_cast<uint32_t>(to - from));
  }
  end_ = to;
}

std::vector<uint32_t> RunWriter::finish(int64_t total) {
  if (end_ < total || counts_.empty()) counts_.push_back(static_cast<uint32_t>(total - end_));
  return std::move(counts_);
}

void append_rle_string(const std::vector<uint32_t>& counts, std::string* out) {
  for (size_t i = 0; i < counts.size(); ++i) {
    int64_t value = counts[i];
    if (i > 2) value -= counts[i - 2];
    bool more = true;
    while (more) {
      int digit = static_cast<int>(value & 0x1f);
      value >>= 5;
      more = digit & 0x10 ? value != -1 : value != 0;
      if (more) digit |= 0x20;
      out->push_back(static_cast<char>(digit + 48));
    }
  }
}

Result<Rle> parse_rle_string(std::string_view text, int64_t height, int64_t width) {
  const auto bad = [] {
    return Status::error(Code::argument, "Expected a COCO compressed RLE string but received another");
  };
  Rle rle{height, width, {}};
  int64_t total = 0;
  for (size_t at = 0; at < text.size();) {
    int64_t value = 0;
    for (int digits = 0;; ++digits) {
      if (at == text.size() || digits == 12) return bad();
      const int digit = text[at++] - 48;
      if (digit < 0 || digit > 0x3f) return bad();
      value |= static_cast<int64_t>(digit & 0x1f) << (5 * digits);
      if (digit & 0x20) continue;
      if (digit & 0x10) value |= -1ll << (5 * (digits + 1));
      break;
    }
    if (rle.counts.size() > 2) value += rle.counts[rle.counts.size() - 2];
    if (value < 0 || value > UINT32_MAX) return bad();
    rle.counts.push_back(static_cast<uint32_t>(value));
    total += value;
  }
  if (total == height * width) return rle;
  return Status::error(Code::argument, "Expected RLE counts of " + std::to_string(height) + " × " +
                                           std::to_string(width) + " pixels but received counts of " +
                                           std::to_string(total));
}

Rle encode(const uint8_t* bitmap, int64_t height, int64_t width) {
  RunWriter runs;
  for (int64_t x = 0; x < width; ++x)
    for (int64_t y = 0; y < height;) {
      while (y < height && !bitmap[y * width + x]) ++y;
      const int64_t from = y;
      while (y < height && bitmap[y * width + x]) ++y;
      runs.add(x * height + from, x * height + y);
    }
  return {height, width, runs.finish(height * width)};
}

void decode(const Rle& rle, uint8_t* bitmap) {
  each_run(rle, [&](int64_t from, int64_t to) {
    for (int64_t x = from / rle.height; from < to; ++x) {
      const int64_t end = std::min(to, (x + 1) * rle.height);
      for (uint8_t* at = bitmap + from % rle.height * rle.width + x; from < end; ++from, at += rle.width)
        *at = 1;
    }
  });
}

int64_t area(const Rle& rle) {
  return extent(rle).area;
}

std::array<double, 4> bounding_box(const Rle& rle) {
  const int64_t h = rle.height;
  int64_t x0 = rle.width, y0 = h, x1 = -1, y1 = -1;
  each_run(rle, [&](int64_t from, int64_t to) {
    const int64_t first = from / h, last = (to - 1) / h;
    x0 = std::min(x0, first);
    x1 = std::max(x1, last);
    y0 = std::min(y0, first < last ? 0 : from % h);
    y1 = std::max(y1, first < last ? h - 1 : (to - 1) % h);
  });
  if (x1 < 0) return {0, 0, 0, 0};
  return {double(x0), double(y0), double(x1 - x0 + 1), double(y1 - y0 + 1)};
}

Rle merge(const std::vector<Rle>& rles, int64_t height, int64_t width, bool intersect) {
  // +1 and -1 where masks begin and end; the sum tells how many of them cover a place.
  std::vector<std::pair<int64_t, int>> changes;
  for (const Rle& rle : rles)
    each_run(rle, [&](int64_t from, int64_t to) {
      changes.emplace_back(from, 1);
      changes.emplace_back(to, -1);
    });
  std::sort(changes.begin(), changes.end());
  const int64_t least = intersect ? static_cast<int64_t>(rles.size()) : 1;
  RunWriter runs;
  int64_t covering = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    covering += changes[i].second;
    if (covering >= least && i + 1 < changes.size()) runs.add(changes[i].first, changes[i + 1].first);
  }
  return {height, width, runs.finish(height * width)};
}

std::vector<double> ious(const std::vector<Rle>& detections, const std::vector<Rle>& truths,
                         const uint8_t* crowd) {
  std::vector<Extent> extents;
  for (const Rle& truth : truths) extents.push_back(extent(truth));
  std::vector<double> out;
  out.reserve(detections.size() * truths.size());
  for (const Rle& detection : detections) {
    const Extent own = extent(detection);
    for (size_t t = 0; t < truths.size(); ++t) {
      const bool apart = own.end <= extents[t].begin || extents[t].end <= own.begin;
      const int64_t both = apart ? 0 : intersection(detection, truths[t]);
      const int64_t whole = crowd[t] ? own.area : own.area + extents[t].area - both;
      out.push_back(both == 0 ? 0 : static_cast<double>(both) / static_cast<double>(whole));
    }
  }
  return out;
}

}  // namespace nlrcnn
