#include "cpu/paste.h"

#include "fuzz/data.h"

// Masks pasted column by column against torchvision's way, pixel by pixel.
namespace nlrcnn::fuzz {
namespace {

int64_t whole(float v) {
  return static_cast<int64_t>(std::clamp(v == v ? v : 0.0f, -1e9f, 1e9f));
}

// One axis of torch's bilinear interpolate: the place between whose neighbours `at` of `out` lies.
float source(int64_t at, int64_t out, int64_t in) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  return std::max(scale * (static_cast<float>(at) + 0.5f) - 0.5f, 0.0f);
}

struct Reference {
  const std::vector<float>& probs;
  int64_t side;
  float x1, y1, x2, y2;  // of the enlarged box

  // Of the mask with one pixel of zeros around.
  float at(int64_t y, int64_t x) const {
    return y < 1 || x < 1 || y > side || x > side ? 0.0f : probs[(y - 1) * side + x - 1];
  }

  bool covers(int64_t px, int64_t py, float threshold) const {
    const int64_t left = whole(x1), top = whole(y1);
    const int64_t w = std::max<int64_t>(whole(x2) - left + 1, 1),
                  h = std::max<int64_t>(whole(y2) - top + 1, 1);
    if (px < left || py < top || px >= left + w || py >= top + h) return false;
    const int64_t padded = side + 2;
    const float fx = source(px - left, w, padded), fy = source(py - top, h, padded);
    const int64_t lx = std::min(static_cast<int64_t>(fx), padded - 1),
                  ly = std::min(static_cast<int64_t>(fy), padded - 1);
    const int64_t hx = std::min(lx + 1, padded - 1), hy = std::min(ly + 1, padded - 1);
    const float wx = std::clamp(fx - float(lx), 0.0f, 1.0f), wy = std::clamp(fy - float(ly), 0.0f, 1.0f);
    const float above = (1 - wx) * at(ly, lx) + wx * at(ly, hx),
                below = (1 - wx) * at(hy, lx) + wx * at(hy, hx);
    if (above > threshold && below > threshold) return true;
    return (1 - wy) * above + wy * below > threshold;
  }
};

}  // namespace
}  // namespace nlrcnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nlrcnn;
  using namespace nlrcnn::fuzz;
  Data data(bytes, size);
  const int64_t side = data.within(1, 9), height = data.within(1, 40), width = data.within(1, 40);
  const float threshold = static_cast<float>(data.within(0, 10)) / 10;
  float corners[4];
  for (float& v : corners) v = static_cast<float>(data.real(40));
  const Box box{corners[0], corners[1], corners[2], corners[3]};
  std::vector<float> probs;
  for (int64_t i = 0; i < side * side; ++i)
    probs.push_back(data.chance(30) ? static_cast<float>(data.odd()) : static_cast<float>(data.byte()) / 255);

  const float scale = static_cast<float>(static_cast<double>(side + 2) / static_cast<double>(side));
  const float half_w = (box.x2 - box.x1) * 0.5f * scale, half_h = (box.y2 - box.y1) * 0.5f * scale;
  const float x = (box.x2 + box.x1) * 0.5f, y = (box.y2 + box.y1) * 0.5f;
  const Reference reference{probs, side, x - half_w, y - half_h, x + half_w, y + half_h};

  cpu::MaskColumns mask(probs.data(), side, box, height, width, threshold);
  require(mask.first() >= 0 && mask.first() <= mask.last(), "columns rise from 0");
  require(mask.last() <= width || mask.first() == mask.last(), "columns lie in the image");
  std::vector<uint8_t> bitmap(height * width);
  for (int64_t column = mask.first(); column < mask.last(); ++column) {
    int64_t before = 0;
    mask.column(column, [&](int64_t from, int64_t to) {
      require(from >= before && from < to && to <= height, "runs of rows rise within the image");
      for (int64_t row = from; row < to; ++row) bitmap[row * width + column] = 1;
      before = to;
    });
  }
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column)
      require(bitmap[row * width + column] == reference.covers(column, row, threshold),
              "a pixel is covered where torchvision covers it");
  return 0;
}
