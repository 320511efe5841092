#include "addon/masks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "addon/arguments.h"
#include "masks/rle.h"

namespace nlrcnn::addon {
namespace {

constexpr int64_t kMaxPixels = UINT32_MAX;        // of a mask as runs
constexpr int64_t kMaxBitmap = int64_t{1} << 30;  // bytes of a mask as pixels
constexpr size_t kMaxPairs = size_t{1} << 28;     // of masks whose overlap is asked for: 2 GiB
constexpr uint32_t kMostMasks = 1 << 26, kMostCorners = 1 << 26;

struct Size {
  int64_t height, width;
  int64_t pixels() const { return height * width; }
};

Size read_size(const js::Value& height, const js::Value& width) {
  const auto side = [](const js::Value& value, const char* what) {
    const double own = value.number().value_or(-1);
    if (own >= 1 && own <= kMaxPixels && own == std::floor(own)) return static_cast<int64_t>(own);
    js::fail(Code::argument,
             std::string("Expected a positive integer for ") + what + " but received " + value.described());
  };
  const Size out{side(height, "height"), side(width, "width")};
  if (out.height > kMaxPixels / out.width) js::fail(Code::shape, "Expected an image below 2^32 pixels");
  return out;
}

Rle read_rle(const js::Value& counts, const Size& size) {
  const auto text = counts.text();
  if (!text) js::fail(Code::argument, "Expected an RLE string but received " + counts.described());
  return js::check(parse_rle_string(*text, size.height, size.width));
}

// counts, height, width as the first three.
Rle read_rle(const js::Call& call) {
  return read_rle(call[0], read_size(call[1], call[2]));
}

std::vector<Rle> read_rles(const js::Value& list, const Size& size) {
  std::vector<Rle> out;
  for (const js::Value& counts : read_list(list, "RLE strings", kMostMasks))
    out.push_back(read_rle(counts, size));
  return out;
}

std::vector<double> read_coordinates(const js::Value& value, const char* what, size_t least) {
  std::vector<double> out;
  for (const js::Value& item : read_list(value, what, kMostCorners)) {
    out.push_back(item.number().value_or(NAN));
    if (!std::isfinite(out.back()))
      js::fail(Code::argument,
               std::string("Expected finite numbers for the ") + what + " but received " + item.described());
  }
  if (out.size() < least || out.size() % 2)
    js::fail(Code::argument, "Expected at least " + std::to_string(least) +
                                 " numbers, an even count, for the " + what + " but received " +
                                 std::to_string(out.size()));
  return out;
}

js::Value to_string(js::Env env, const Rle& rle) {
  std::string text;
  append_rle_string(rle.counts, &text);
  return js::to_js(env, text);
}

std::shared_ptr<Storage> allocate(size_t bytes) {
  auto storage = allocate_host(bytes);
  if (!storage) js::fail(Code::out_of_memory, "Out of memory for " + std::to_string(bytes) + " bytes");
  return storage;
}

js::Value rle_encode(const js::Call& call) {
  const Size size = read_size(call[1], call[2]);
  const js::Memory bitmap = read_bytes(call[0], DType::u8, static_cast<size_t>(size.pixels()));
  return to_string(call.env(), encode(static_cast<const uint8_t*>(bitmap.data), size.height, size.width));
}

js::Value rle_decode(const js::Call& call) {
  const Rle rle = read_rle(call);
  const int64_t pixels = rle.height * rle.width;
  if (pixels > kMaxBitmap)
    js::fail(Code::shape,
             "Expected a mask of at most 2^30 pixels to decode but received " + std::to_string(pixels));
  const auto storage = allocate(static_cast<size_t>(pixels));
  std::memset(storage->data(), 0, storage->bytes());
  decode(rle, static_cast<uint8_t*>(storage->data()));
  return js::typed_array(call.env(), napi_uint8_array, storage, storage->bytes());
}

js::Value rle_area(const js::Call& call) {
  return js::to_js(call.env(), static_cast<double>(area(read_rle(call))));
}

js::Value rle_to_bbox(const js::Call& call) {
  const auto box = bounding_box(read_rle(call));
  const js::Value out = js::array(call.env(), box.size());
  for (uint32_t i = 0; i < box.size(); ++i) out.set(i, js::to_js(call.env(), box[i]));
  return out;
}

js::Value rle_merge(const js::Call& call) {
  const Size size = read_size(call[1], call[2]);
  return to_string(call.env(), merge(read_rles(call[0], size), size.height, size.width, call[3].truthy()));
}

js::Value rle_iou(const js::Call& call) {
  const Size size = read_size(call[2], call[3]);
  const auto detections = read_rles(call[0], size), truths = read_rles(call[1], size);
  if (!truths.empty() && detections.size() > kMaxPairs / truths.size())
    js::fail(Code::shape, "Expected at most 2^28 pairs of masks but received " +
                              std::to_string(detections.size()) + " × " + std::to_string(truths.size()));
  const js::Memory crowd = read_bytes(call[4], DType::u8, truths.size());
  const auto values = ious(detections, truths, static_cast<const uint8_t*>(crowd.data));
  const auto storage = allocate(values.size() * sizeof(double));
  if (!values.empty()) std::memcpy(storage->data(), values.data(), storage->bytes());
  return js::typed_array(call.env(), napi_float64_array, storage, storage->bytes());
}

js::Value rle_from_polygons(const js::Call& call) {
  const Size size = read_size(call[1], call[2]);
  std::vector<Rle> parts;
  for (const js::Value& polygon : read_list(call[0], "polygons", kMostMasks))
    parts.push_back(js::check(
        draw_polygon(read_coordinates(polygon, "corners of a polygon", 6), size.height, size.width)));
  return to_string(call.env(), merge(parts, size.height, size.width, false));
}

js::Value rle_from_bbox(const js::Call& call) {
  const Size size = read_size(call[1], call[2]);
  const auto box = read_coordinates(call[0], "numbers of a box", 4);
  const double x0 = box[0], y0 = box[1], x1 = x0 + box[2], y1 = y0 + box[3];
  const auto drawn = draw_polygon({x0, y0, x0, y1, x1, y1, x1, y0}, size.height, size.width);
  return to_string(call.env(), js::check(drawn));
}

}  // namespace

void export_masks(const js::Value& exports) {
  js::define<rle_encode>(exports, "rleEncode");
  js::define<rle_decode>(exports, "rleDecode");
  js::define<rle_area>(exports, "rleArea");
  js::define<rle_to_bbox>(exports, "rleToBbox");
  js::define<rle_merge>(exports, "rleMerge");
  js::define<rle_iou>(exports, "rleIou");
  js::define<rle_from_polygons>(exports, "rleFromPolygons");
  js::define<rle_from_bbox>(exports, "rleFromBbox");
}

}  // namespace nlrcnn::addon
