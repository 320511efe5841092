#include <algorithm>

#include "fuzz/data.h"
#include "masks/rle.h"

// Polygons against pycocotools' way of drawing them, which lists every point of the outline.
namespace nlrcnn::fuzz {
namespace {

constexpr double kBounded = 3000;  // coordinates for which that list is short

struct Point {
  int x, y;
};

void add_edge(Point from, Point to, std::vector<Point>* out) {
  const int dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
  const bool flat = dx >= dy, flip = flat ? from.x > to.x : from.y > to.y;
  if (flip) std::swap(from, to);
  const int steps = flat ? dx : dy;
  if (steps == 0) return out->push_back(from);
  const double slope = static_cast<double>(flat ? to.y - from.y : to.x - from.x) / steps;
  for (int d = 0; d <= steps; ++d) {
    const int t = flip ? steps - d : d;
    const int across = static_cast<int>((flat ? from.y : from.x) + slope * t + 0.5);
    out->push_back(flat ? Point{from.x + t, across} : Point{across, from.y + t});
  }
}

std::vector<uint32_t> reference(const std::vector<double>& xy, int64_t height, int64_t width) {
  std::vector<Point> corners, outline;
  for (size_t i = 0; i + 1 < xy.size(); i += 2)
    corners.push_back({static_cast<int>(5 * xy[i] + 0.5), static_cast<int>(5 * xy[i + 1] + 0.5)});
  for (size_t i = 0; i < corners.size(); ++i)
    add_edge(corners[i], corners[(i + 1) % corners.size()], &outline);
  std::vector<uint32_t> places;
  for (size_t i = 1; i < outline.size(); ++i) {
    const Point a = outline[i - 1], b = outline[i];
    if (a.x == b.x) continue;
    const double x = ((b.x < a.x ? b.x : b.x - 1) + 0.5) / 5 - 0.5;
    if (std::floor(x) != x || x < 0 || x > double(width - 1)) continue;
    const double y = std::ceil(std::clamp((std::min(a.y, b.y) + 0.5) / 5 - 0.5, 0.0, double(height)));
    places.push_back(static_cast<uint32_t>(x * double(height) + y));
  }
  const auto total = static_cast<uint32_t>(height * width);
  places.push_back(total);
  std::sort(places.begin(), places.end());
  std::vector<uint32_t> runs, merged;
  uint32_t before = 0;
  for (uint32_t place : places) {
    runs.push_back(place - before);
    before = place;
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    if (i == 0 || runs[i] > 0)
      merged.push_back(runs[i]);
    else if (++i < runs.size())
      merged.back() += runs[i];
  }
  return merged;
}

void check(const std::vector<double>& xy, int64_t height, int64_t width) {
  bool finite = true, bounded = true;
  for (double v : xy) {
    finite = finite && std::isfinite(v);
    bounded = bounded && std::abs(v) <= kBounded;
  }
  auto drawn = draw_polygon(xy, height, width);
  require(drawn.ok() == finite, "finite polygons and no others are drawn");
  if (!finite) return;
  std::string text;
  append_rle_string(drawn.value().counts, &text);
  require(parse_rle_string(text, height, width).ok(), "a drawn polygon covers its image");
  if (bounded && xy.size() >= 2)
    require(drawn.value().counts == reference(xy, height, width), "pixels are pycocotools'");
}

}  // namespace
}  // namespace nlrcnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nlrcnn::fuzz;
  Data data(bytes, size);
  const int64_t height = data.within(1, 60), width = data.within(1, 60);
  const double around = data.chance(4) ? 2000 : 60;
  const bool whole = data.chance(3);
  std::vector<double> xy;
  while (!data.empty() && xy.size() < 40) {
    const double v = data.chance(40) ? data.odd() : data.real(around);
    xy.push_back(whole ? std::round(v) : v);
  }
  xy.resize(xy.size() / 2 * 2);
  check(xy, height, width);
  return 0;
}
