#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

// COCO run-length encoding: column-major runs of zeros and ones in turn, zeros first, as in pycocotools'
// maskApi.
namespace nlrcnn {

struct Rle {
  int64_t height = 0, width = 0;
  std::vector<uint32_t> counts;
};

// Collects runs of ones by rising position.
class RunWriter {
 public:
  // Ones at [from, to).
  void add(int64_t from, int64_t to);
  // The counts, with zeros up to `total`.
  std::vector<uint32_t> finish(int64_t total);

 private:
  std::vector<uint32_t> counts_;
  int64_t end_ = 0;
};

// COCO's compressed string: each count (from the fourth on its difference to the one before the last) in
// 5-bit digits.
void append_rle_string(const std::vector<uint32_t>& counts, std::string* out);
// Code::argument where `text` is no such string or its counts do not cover height · width.
Result<Rle> parse_rle_string(std::string_view text, int64_t height, int64_t width);

Rle encode(const uint8_t* bitmap, int64_t height, int64_t width);  // row-major, 0 or not
void decode(const Rle& rle, uint8_t* bitmap);                      // row-major; writes ones only
int64_t area(const Rle& rle);
std::array<double, 4> bounding_box(const Rle& rle);  // x, y, width, height
Rle merge(const std::vector<Rle>& rles, int64_t height, int64_t width, bool intersect);
// [detections, truths]: intersection over union; over the detection's own area where the truth is a crowd.
std::vector<double> ious(const std::vector<Rle>& detections, const std::vector<Rle>& truths,
                         const uint8_t* crowd);
// x0, y0, x1, y1, …, as pycocotools' rleFrPoly: inside of the image the same pixels wherever its 32-bit
// integers reach; corners beyond are clipped. At most corners · width steps. Code::argument for numbers that
// are not finite, Code::out_of_memory for outlines of too many runs.
Result<Rle> draw_polygon(const std::vector<double>& xy, int64_t height, int64_t width);

}  // namespace nlrcnn
