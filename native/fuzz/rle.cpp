#include <algorithm>

#include "fuzz/data.h"
#include "masks/rle.h"

// RLE strings: whatever is taken survives being written again, and area, box, union, intersection and IoU are
// those of the bitmaps.
namespace nlrcnn::fuzz {
namespace {

constexpr int64_t kDecoded = 1 << 14;  // pixels of bitmaps that are compared

using Bitmap = std::vector<uint8_t>;

Bitmap bitmap_of(const Rle& rle) {
  Bitmap bitmap(static_cast<size_t>(rle.height * rle.width));
  decode(rle, bitmap.data());
  return bitmap;
}

int64_t count(const Bitmap& bitmap) {
  return std::count(bitmap.begin(), bitmap.end(), 1);
}

std::array<double, 4> box_of(const Bitmap& bitmap, int64_t height, int64_t width) {
  int64_t x0 = width, y0 = height, x1 = -1, y1 = -1;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      if (!bitmap[y * width + x]) continue;
      x0 = std::min(x0, x);
      y0 = std::min(y0, y);
      x1 = std::max(x1, x);
      y1 = std::max(y1, y);
    }
  if (x1 < 0) return {0, 0, 0, 0};
  return {double(x0), double(y0), double(x1 - x0 + 1), double(y1 - y0 + 1)};
}

void check_text(const Rle& rle) {
  std::string text;
  append_rle_string(rle.counts, &text);
  auto again = parse_rle_string(text, rle.height, rle.width);
  require(again.ok() && again.value().counts == rle.counts,
          "a written string is read as what it was written of");
}

void check_one(const Rle& rle) {
  check_text(rle);
  const int64_t covered = area(rle);
  require(covered >= 0 && covered <= rle.height * rle.width, "an area is at most the image's");
  const auto box = bounding_box(rle);
  require(box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= double(rle.width) &&
              box[1] + box[3] <= double(rle.height) && (covered > 0) == (box[2] > 0),
          "a box lies in the image");
  if (rle.height * rle.width > kDecoded) return;
  const Bitmap bitmap = bitmap_of(rle);
  require(count(bitmap) == covered, "area counts the bitmap's ones");
  require(box == box_of(bitmap, rle.height, rle.width), "the box is the bitmap's");
  const Rle encoded = encode(bitmap.data(), rle.height, rle.width);
  check_text(encoded);
  require(bitmap_of(encoded) == bitmap, "a bitmap survives encoding");
}

void check_pair(const Rle& a, const Rle& b) {
  const Rle both = merge({a, b}, a.height, a.width, true), any = merge({a, b}, a.height, a.width, false);
  check_text(both);
  check_text(any);
  require(area(a) + area(b) == area(both) + area(any), "areas of union and intersection add up");
  const uint8_t crowd[] = {0, 1};
  const auto found = ious({a}, {b, b}, crowd);
  const auto part = [](int64_t of, int64_t whole) { return of == 0 ? 0 : double(of) / double(whole); };
  require(found[0] == part(area(both), area(any)), "IoU is intersection over union");
  require(found[1] == part(area(both), area(a)), "IoU with a crowd is over the detection's area");
  if (a.height * a.width > kDecoded) return;
  const Bitmap in_a = bitmap_of(a), in_b = bitmap_of(b), in_both = bitmap_of(both), in_any = bitmap_of(any);
  for (size_t i = 0; i < in_a.size(); ++i)
    require(in_both[i] == (in_a[i] & in_b[i]) && in_any[i] == (in_a[i] | in_b[i]),
            "merging is that of bitmaps");
}

// Counts from small numbers, made to cover the image: strings that are taken are rare else.
Rle made(Data& data, int64_t height, int64_t width) {
  Rle rle{height, width, {}};
  int64_t left = height * width;
  for (int runs = static_cast<int>(data.upto(40)); runs > 0; --runs) {
    const auto run = std::min<int64_t>(left, data.within(0, data.chance(4) ? left : 9));
    rle.counts.push_back(static_cast<uint32_t>(run));
    left -= run;
  }
  rle.counts.push_back(static_cast<uint32_t>(left));
  return rle;
}

}  // namespace
}  // namespace nlrcnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nlrcnn;
  using namespace nlrcnn::fuzz;
  Data data(bytes, size);
  const int64_t most = data.chance(4) ? 65535 : 40;
  const int64_t height = data.within(1, most), width = data.within(1, most);
  const Rle a = made(data, height, width), b = made(data, height, width);
  check_one(a);
  check_pair(a, b);
  auto parsed = parse_rle_string(data.rest(), height, width);
  if (!parsed.ok()) return 0;
  check_one(parsed.value());
  check_pair(a, parsed.value());
  return 0;
}
