#include "addon/masks.h"

#include <algorithm>
#include <cmath>

#include "addon/arguments.h"
#include "masks/rle.h"

namespace nlrcnn::addon {
namespace {

constexpr int64_t kMaxPixels = UINT32_MAX;

// Arguments by position; the first that does not fit throws in JavaScript and leaves ok() false.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  bool ok() const { return ok_; }

  void size(size_t at, int64_t* height, int64_t* width) {
    *height = side(at, "height");
    *width = side(at + 1, "width");
    if (ok_ && *width > 0 && *height > kMaxPixels / *width)
      fail(Code::shape, "Expected a picture below 2^32 pixels");
  }

  std::vector<std::string> strings(size_t at) {
    std::vector<std::string> out;
    if (!info_[at].IsArray()) return fail(Code::argument, "Expected an array of RLE strings"), out;
    const auto list = info_[at].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::Value item = list[i];
      if (!item.IsString()) return fail(Code::argument, "Expected an array of RLE strings"), out;
      out.push_back(item.As<Napi::String>());
    }
    return out;
  }

  Rle rle(const std::string& counts, int64_t height, int64_t width) {
    auto parsed = parse_rle_string(counts, height, width);
    if (parsed.ok()) return std::move(parsed.value());
    fail(parsed.status().code, parsed.status().message);
    return {};
  }

  // counts, height, width as the first three.
  Rle rle() {
    int64_t height = 0, width = 0;
    size(1, &height, &width);
    if (ok_ && !info_[0].IsString()) fail(Code::argument, "Expected an RLE string");
    return ok_ ? rle(info_[0].As<Napi::String>(), height, width) : Rle{};
  }

  std::vector<Rle> rles(size_t at, int64_t height, int64_t width) {
    std::vector<Rle> out;
    const auto texts = strings(at);
    for (size_t i = 0; ok_ && i < texts.size(); ++i) out.push_back(rle(texts[i], height, width));
    return out;
  }

  std::vector<double> numbers(const Napi::Value& value, const char* what, size_t least) {
    std::vector<double> out;
    const bool array = value.IsArray();
    const auto list = array ? value.As<Napi::Array>() : Napi::Array();
    for (uint32_t i = 0; array && i < list.Length(); ++i) {
      const Napi::Value item = list[i];
      out.push_back(item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : NAN);
      // Beyond this pycocotools' own integers overflow.
      if (!(std::abs(out.back()) < 1e8))
        return fail(Code::argument, std::string("Expected finite numbers for ") + what), out;
    }
    if (out.size() < least || out.size() % 2)
      fail(Code::argument, std::string("Expected at least ") + std::to_string(least) +
                               " numbers, an even count, for " + what);
    return out;
  }

  const uint8_t* bytes(size_t at, size_t expected) {
    const void* data = nullptr;
    ok_ = ok_ && read_bytes(info_[at], DType::u8, expected, &data);
    return static_cast<const uint8_t*>(data);
  }

  void fail(Code code, std::string message) {
    if (ok_) throw_status(info_.Env(), Status::error(code, std::move(message)));
    ok_ = false;
  }

 private:
  int64_t side(size_t at, const char* what) {
    const double value = info_[at].IsNumber() ? info_[at].As<Napi::Number>().DoubleValue() : -1;
    if (value >= 1 && value <= kMaxPixels && value == std::floor(value)) return static_cast<int64_t>(value);
    fail(Code::argument, std::string("Expected a positive integer for ") + what);
    return 0;
  }

  const Napi::CallbackInfo& info_;
  bool ok_ = true;
};

Napi::Value to_string(Napi::Env env, const Rle& rle) {
  std::string text;
  append_rle_string(rle.counts, &text);
  return Napi::String::New(env, text);
}

Napi::Value rle_encode(const Napi::CallbackInfo& info) {
  Arguments args(info);
  int64_t height = 0, width = 0;
  args.size(1, &height, &width);
  const uint8_t* bitmap = args.ok() ? args.bytes(0, height * width) : nullptr;
  return args.ok() ? to_string(info.Env(), encode(bitmap, height, width)) : info.Env().Undefined();
}

Napi::Value rle_decode(const Napi::CallbackInfo& info) {
  Arguments args(info);
  const Rle rle = args.rle();
  if (!args.ok()) return info.Env().Undefined();
  auto out = Napi::Uint8Array::New(info.Env(), rle.height * rle.width);
  decode(rle, out.Data());
  return out;
}

Napi::Value rle_area(const Napi::CallbackInfo& info) {
  Arguments args(info);
  const Rle rle = args.rle();
  return args.ok() ? Napi::Number::New(info.Env(), static_cast<double>(area(rle))) : info.Env().Undefined();
}

Napi::Value rle_to_bbox(const Napi::CallbackInfo& info) {
  Arguments args(info);
  const Rle rle = args.rle();
  if (!args.ok()) return info.Env().Undefined();
  auto out = Napi::Array::New(info.Env(), 4);
  const auto box = bounding_box(rle);
  for (uint32_t i = 0; i < 4; ++i) out[i] = box[i];
  return out;
}

Napi::Value rle_merge(const Napi::CallbackInfo& info) {
  Arguments args(info);
  int64_t height = 0, width = 0;
  args.size(1, &height, &width);
  const auto rles = args.ok() ? args.rles(0, height, width) : std::vector<Rle>{};
  if (!args.ok()) return info.Env().Undefined();
  return to_string(info.Env(), merge(rles, height, width, info[3].ToBoolean()));
}

Napi::Value rle_iou(const Napi::CallbackInfo& info) {
  Arguments args(info);
  int64_t height = 0, width = 0;
  args.size(2, &height, &width);
  const auto detections = args.ok() ? args.rles(0, height, width) : std::vector<Rle>{};
  const auto truths = args.ok() ? args.rles(1, height, width) : std::vector<Rle>{};
  const uint8_t* crowd = args.ok() ? args.bytes(4, truths.size()) : nullptr;
  if (!args.ok()) return info.Env().Undefined();
  const auto values = ious(detections, truths, crowd);
  auto out = Napi::Float64Array::New(info.Env(), values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Value rle_from_polygons(const Napi::CallbackInfo& info) {
  Arguments args(info);
  int64_t height = 0, width = 0;
  args.size(1, &height, &width);
  if (args.ok() && !info[0].IsArray()) args.fail(Code::argument, "Expected an array of polygons");
  std::vector<Rle> parts;
  for (uint32_t i = 0; args.ok() && i < info[0].As<Napi::Array>().Length(); ++i) {
    const auto xy = args.numbers(info[0].As<Napi::Array>()[i], "a polygon", 6);
    if (args.ok()) parts.push_back(from_polygon(xy, height, width));
  }
  return args.ok() ? to_string(info.Env(), merge(parts, height, width, false)) : info.Env().Undefined();
}

Napi::Value rle_from_bbox(const Napi::CallbackInfo& info) {
  Arguments args(info);
  int64_t height = 0, width = 0;
  args.size(1, &height, &width);
  const auto box = args.ok() ? args.numbers(info[0], "a box", 4) : std::vector<double>{};
  if (!args.ok()) return info.Env().Undefined();
  const double x0 = box[0], y0 = box[1], x1 = x0 + box[2], y1 = y0 + box[3];
  return to_string(info.Env(), from_polygon({x0, y0, x0, y1, x1, y1, x1, y0}, height, width));
}

}  // namespace

void export_masks(Napi::Env env, Napi::Object exports) {
  exports.Set("rleEncode", Napi::Function::New<rle_encode>(env, "rleEncode"));
  exports.Set("rleDecode", Napi::Function::New<rle_decode>(env, "rleDecode"));
  exports.Set("rleArea", Napi::Function::New<rle_area>(env, "rleArea"));
  exports.Set("rleToBbox", Napi::Function::New<rle_to_bbox>(env, "rleToBbox"));
  exports.Set("rleMerge", Napi::Function::New<rle_merge>(env, "rleMerge"));
  exports.Set("rleIou", Napi::Function::New<rle_iou>(env, "rleIou"));
  exports.Set("rleFromPolygons", Napi::Function::New<rle_from_polygons>(env, "rleFromPolygons"));
  exports.Set("rleFromBbox", Napi::Function::New<rle_from_bbox>(env, "rleFromBbox"));
}

}  // namespace nlrcnn::addon
