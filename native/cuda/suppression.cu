#include "cuda/suppression.h"

namespace nlrcnn::cuda {
namespace {

constexpr int kTile = 64;
constexpr int kWalkThreads = 256;

// torchvision rounds the IoU to float32, then compares in double.
NLRCNN_DEVICE bool overlaps(const Box& a, const Box& b, double threshold) {
  const float x1 = b.x1 > a.x1 ? b.x1 : a.x1, y1 = b.y1 > a.y1 ? b.y1 : a.y1;
  const float x2 = b.x2 < a.x2 ? b.x2 : a.x2, y2 = b.y2 < a.y2 ? b.y2 : a.y2;
  const float w = x2 - x1 > 0 ? x2 - x1 : 0.0f, h = y2 - y1 > 0 ? y2 - y1 : 0.0f;
  const float inter = w * h;
  const float own = (a.x2 - a.x1) * (a.y2 - a.y1), other = (b.x2 - b.x1) * (b.y2 - b.y1);
  const float iou = inter / (own + other - inter);
  return static_cast<double>(iou) > threshold;
}

// One block of 64 threads for 64 × 64 pairs: a thread compares its row's box with the columns'.
NLRCNN_KERNEL void make_mask(Suppression s, int64_t words) {
  const int64_t list = block_z(), first = s.ranges[2 * list], count = s.ranges[2 * list + 1] - first;
  const int64_t row0 = int64_t{block_y()} * kTile, column0 = int64_t{block_x()} * kTile;
  if (block_x() < block_y() || row0 >= count || column0 >= count) return;
  NLRCNN_SHARED(float, x1, kTile);
  NLRCNN_SHARED(float, y1, kTile);
  NLRCNN_SHARED(float, x2, kTile);
  NLRCNN_SHARED(float, y2, kTile);
  NLRCNN_SHARED(int32_t, group, kTile);
  const int t = thread_index();
  if (column0 + t < count) {
    const Box box = s.boxes[first + column0 + t];
    x1[t] = box.x1;
    y1[t] = box.y1;
    x2[t] = box.x2;
    y2[t] = box.y2;
    group[t] = s.groups ? s.groups[first + column0 + t] : 0;
  }
  barrier();
  const int64_t row = row0 + t;
  if (row >= count) return;
  const Box own = s.boxes[first + row];
  const int32_t own_group = s.groups ? s.groups[first + row] : 0;
  uint64_t bits = 0;
  const int columns = static_cast<int>(count - column0 < kTile ? count - column0 : kTile);
  for (int j = 0; j < columns; ++j) {
    if (column0 + j <= row || group[j] != own_group) continue;
    if (overlaps(own, {x1[j], y1[j], x2[j], y2[j]}, s.threshold)) bits |= uint64_t{1} << j;
  }
  s.mask[(first + row) * words + block_x()] = bits;
}

// One block for each list. 64 boxes at a time: one thread decides among them, then all spread what they
// suppress, a thread for each word of some of the rows.
template <int kWords>
NLRCNN_KERNEL void walk(Suppression s, int64_t words) {
  const int64_t list = block_x(), first = s.ranges[2 * list];
  const int count = static_cast<int>(s.ranges[2 * list + 1] - first);
  NLRCNN_SHARED(uint64_t, removed, kWords);
  NLRCNN_SHARED(uint64_t, own, kTile);
  NLRCNN_SHARED(uint64_t, kept, 1);
  const int t = thread_index();
  const int used = (count + kTile - 1) / kTile;
  for (int w = t; w < used; w += kWalkThreads) removed[w] = 0;
  barrier();
  for (int chunk = 0; chunk < used; ++chunk) {
    const int64_t row0 = first + chunk * kTile;
    const int rows = count - chunk * kTile < kTile ? count - chunk * kTile : kTile;
    if (t < rows) {
      own[t] = s.mask[(row0 + t) * words + chunk];
      if (s.candidate && !s.candidate[row0 + t]) atomic_or(removed, chunk, uint64_t{1} << t);
    }
    barrier();
    if (t == 0) {
      uint64_t gone = removed[chunk], stays = 0;
      for (int j = 0; j < rows; ++j) {
        const uint64_t suppressed = own[j], stay = ~gone >> j & 1;
        stays |= stay << j;
        gone |= suppressed & (uint64_t{0} - stay);
      }
      kept[0] = stays;
    }
    barrier();
    const uint64_t stays = kept[0];
    if (t < rows) s.keep[row0 + t] = static_cast<uint8_t>(stays >> t & 1);
    const int rest = used - chunk - 1;
    int width = 1;  // threads for the words of one row
    while (width < rest && width < kWalkThreads) width *= 2;
    const int groups = kWalkThreads / width;
    for (int w = t % width; w < rest; w += width) {
      uint64_t bits = 0;
      NLRCNN_UNROLL(8)
      for (int j = t / width; j < rows; j += groups)
        bits |= stays >> j & 1 ? s.mask[(row0 + j) * words + chunk + 1 + w] : uint64_t{0};
      if (bits) atomic_or(removed, chunk + 1 + w, bits);
    }
    barrier();
  }
}

}  // namespace

Status suppress(Stream& stream, const Suppression& s) {
  const int64_t words = s.words();
  if (s.longest > kLongestList)
    return Status::error(Code::unsupported, "Expected at most " + std::to_string(kLongestList) +
                                                " boxes for nms on CUDA but received " +
                                                std::to_string(s.longest));
  const auto tiles = static_cast<uint32_t>(words);
  const Grid pairs{tiles, tiles, static_cast<uint32_t>(s.lists)}, lists{static_cast<uint32_t>(s.lists)};
  if (Status status = launch(stream, "nms mask", pairs, kTile, make_mask, s, words); !status.ok())
    return status;
  if (words <= 64) return launch(stream, "nms", lists, kWalkThreads, walk<64>, s, words);
  return launch(stream, "nms", lists, kWalkThreads, walk<kLongestList / kTile>, s, words);
}

}  // namespace nlrcnn::cuda
