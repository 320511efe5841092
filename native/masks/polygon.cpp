#include <algorithm>
#include <bit>
#include <cmath>

#include "masks/rle.h"

// pycocotools' rleFrPoly without its list of every point of the outline: what an edge costs depends on the
// columns of the image that it crosses, not on its length.
namespace nlrcnn {
namespace {

constexpr double kUpsample = 5;  // pycocotools draws on a grid five times as fine as pixels
// Fine coordinates up to here are drawn in integers; pycocotools' own end at 2^31.
constexpr double kNear = 1ll << 40;
// Those beyond are outside of every image, and differences of two of them still fit.
constexpr int64_t kFar = 1ll << 50;
// Crossings are kept in a list while there are few, for they are sorted in the end; else a bit for each
// pixel.
constexpr int64_t kFewCrossings = 1 << 20, kPixelsPerCrossing = 256;
// More runs take gigabytes, and no string of JavaScript holds them.
constexpr size_t kMostRuns = 1 << 27;

struct Vertex {
  int64_t x, y;                  // on the fine grid
  long double exact_x, exact_y;  // the same where `near`
  bool near;
};

Vertex make_vertex(double x, double y) {
  const double fine_x = kUpsample * x + 0.5, fine_y = kUpsample * y + 0.5;
  if (std::abs(fine_x) < kNear && std::abs(fine_y) < kNear) {
    const auto whole_x = static_cast<int64_t>(fine_x), whole_y = static_cast<int64_t>(fine_y);
    return {whole_x, whole_y, static_cast<long double>(whole_x), static_cast<long double>(whole_y), true};
  }
  const auto clamped = [](double v) {
    return static_cast<int64_t>(std::clamp(v, static_cast<double>(-kFar), static_cast<double>(kFar)));
  };
  return {clamped(fine_x), clamped(fine_y), 5.0L * x, 5.0L * y, false};
}

// An edge within reach of integers, in pycocotools' arithmetic: one point for each step along its longer
// side.
class NearEdge {
 public:
  NearEdge(Vertex from, Vertex to) {
    const int64_t dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
    flat_ = dx >= dy;
    if (flat_ ? from.x > to.x : from.y > to.y) std::swap(from, to);
    x_ = from.x;
    y_ = from.y;
    steps_ = flat_ ? dx : dy;
    slope_ = static_cast<double>(flat_ ? to.y - from.y : to.x - from.x) / static_cast<double>(steps_);
    rising_ = to.x > from.x;
  }

  // The lower y of the two points between which the edge passes from `fine_x` to the next.
  int64_t crossing(int64_t fine_x) const {
    if (flat_) {
      const int64_t t = fine_x - x_;
      return std::min(across(y_, t), across(y_, t + 1));
    }
    // Rounded or not, x only rises or only falls along the edge.
    int64_t before = 0, behind = steps_;
    while (behind - before > 1) {
      const int64_t middle = before + (behind - before) / 2;
      if ((across(x_, middle) > fine_x) == rising_)
        behind = middle;
      else
        before = middle;
    }
    return y_ + before;
  }

 private:
  int64_t across(int64_t start, int64_t t) const {
    return static_cast<int64_t>(static_cast<double>(start) + slope_ * static_cast<double>(t) + 0.5);
  }

  int64_t x_, y_, steps_;
  double slope_;
  bool flat_, rising_;
};

// Places of an image, each of which is marked where it was toggled an odd number of times. Takes memory for
// the fewer of what was toggled and the image's pixels.
class Places {
 public:
  explicit Places(int64_t total)
      : total_(total), few_(static_cast<size_t>(std::max(kFewCrossings, total / kPixelsPerCrossing))) {}

  // Within 0 … total, the place behind the last pixel.
  void toggle(int64_t place) {
    if (!bits_.empty()) return flip(place);
    list_.push_back(place);
    if (list_.size() < few_) return;
    bits_.resize(static_cast<size_t>(total_) / 64 + 1);
    for (int64_t each : list_) flip(each);
    list_ = {};
  }

  // Calls visit(place) by rising place until it gives false.
  template <class Visit>
  void each(Visit visit) {
    std::sort(list_.begin(), list_.end());
    for (size_t i = 0; i < list_.size();) {
      size_t next = i + 1;
      while (next < list_.size() && list_[next] == list_[i]) ++next;
      if ((next - i) % 2 && !visit(list_[i])) return;
      i = next;
    }
    for (size_t word = 0; word < bits_.size(); ++word)
      for (uint64_t rest = bits_[word]; rest != 0; rest &= rest - 1)
        if (!visit(static_cast<int64_t>(64 * word) + std::countr_zero(rest))) return;
  }

 private:
  void flip(int64_t place) { bits_[place / 64] ^= uint64_t{1} << (place % 64); }

  int64_t total_;
  size_t few_;
  std::vector<int64_t> list_;
  std::vector<uint64_t> bits_;
};

// Where the outline crosses the middle of a column, ones begin or end.
class Outline {
 public:
  Outline(int64_t height, int64_t width) : height_(height), width_(width), crossings_(height * width) {}

  void edge(const Vertex& from, const Vertex& to) {
    const int64_t low = std::min(from.x, to.x), high = std::max(from.x, to.x);
    // The middle of column c lies between the fine 5 c + 2 and 5 c + 3.
    const int64_t first = low <= 2 ? 0 : (low + 2) / 5;
    const int64_t end = high < 3 ? 0 : std::min((high - 3) / 5 + 1, width_);
    if (first >= end) return;
    if (from.near && to.near) {
      const NearEdge near(from, to);
      for (int64_t column = first; column < end; ++column)
        cross(column, (static_cast<double>(near.crossing(5 * column + 2)) + 0.5) / kUpsample - 0.5);
      return;
    }
    const long double slope = (to.exact_y - from.exact_y) / (to.exact_x - from.exact_x);
    for (int64_t column = first; column < end; ++column) {
      const long double x = 5.0L * static_cast<long double>(column) + 2.5L;
      const long double y = from.exact_y + slope * (x - from.exact_x);
      cross(column, static_cast<double>(std::clamp(y, -1e300L, 1e300L)) / kUpsample - 0.5);
    }
  }

  Result<Rle> finish() {
    const int64_t total = height_ * width_;
    RunWriter runs;
    size_t places = 0;
    int64_t from = 0;
    crossings_.each([&](int64_t place) {
      if (places % 2) runs.add(from, place);
      from = place;
      return ++places < kMostRuns;
    });
    if (places == kMostRuns)
      return Status::error(Code::out_of_memory, "Expected a polygon of fewer than " +
                                                    std::to_string(kMostRuns) + " runs of pixels");
    if (places % 2) runs.add(from, total);
    return Rle{height_, width_, runs.finish(total)};
  }

 private:
  void cross(int64_t column, double y) {
    const double row = std::ceil(std::clamp(y, 0.0, static_cast<double>(height_)));
    crossings_.toggle(column * height_ + static_cast<int64_t>(row));
  }

  int64_t height_, width_;
  Places crossings_;
};

}  // namespace

Result<Rle> draw_polygon(const std::vector<double>& xy, int64_t height, int64_t width) {
  for (double v : xy)
    if (!std::isfinite(v))
      return Status::error(Code::argument,
                           "Expected finite numbers for a polygon but received NaN or infinity");
  const size_t corners = xy.size() / 2;
  Outline outline(height, width);
  if (corners > 0) {
    const Vertex first = make_vertex(xy[0], xy[1]);
    Vertex from = first;
    for (size_t i = 1; i <= corners; ++i) {
      const Vertex to = i < corners ? make_vertex(xy[2 * i], xy[2 * i + 1]) : first;
      outline.edge(from, to);
      from = to;
    }
  }
  return outline.finish();
}

}  // namespace nlrcnn
