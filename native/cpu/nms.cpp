#include "ops/nms.h"

#include <algorithm>
#include <map>

#include "cpu/kernels.h"
#include "cpu/select.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

struct Corners {
  std::vector<float> x1, y1, x2, y2, area;
};

// Marks what box i suppresses among [from, n). torchvision rounds the IoU to float32, then compares in
// double.
NLRCNN_MULTIVERSION void mark(const float* x1, const float* y1, const float* x2, const float* y2,
                              const float* area, int64_t i, int64_t from, int64_t n, double threshold,
                              uint8_t* gone) {
  const float left = x1[i], top = y1[i], right = x2[i], bottom = y2[i], own = area[i];
  for (int64_t j = from; j < n; ++j) {
    const float xx1 = x1[j] > left ? x1[j] : left, yy1 = y1[j] > top ? y1[j] : top;
    const float xx2 = x2[j] < right ? x2[j] : right, yy2 = y2[j] < bottom ? y2[j] : bottom;
    const float w = xx2 - xx1 > 0 ? xx2 - xx1 : 0.0f, h = yy2 - yy1 > 0 ? yy2 - yy1 : 0.0f;
    const float inter = w * h, iou = inter / (own + area[j] - inter);
    gone[j] |= static_cast<double>(iou) > threshold;
  }
}

// Of one group, sorted; appends positions of `order` that stay.
void suppress_group(const std::vector<Box>& boxes, const std::vector<int32_t>& order,
                    const std::vector<int32_t>& members, double threshold, std::vector<int32_t>* kept) {
  const int64_t n = static_cast<int64_t>(members.size());
  Corners c;
  for (int32_t position : members) {
    const Box& b = boxes[order[position]];
    c.x1.push_back(b.x1);
    c.y1.push_back(b.y1);
    c.x2.push_back(b.x2);
    c.y2.push_back(b.y2);
    c.area.push_back((b.x2 - b.x1) * (b.y2 - b.y1));
  }
  std::vector<uint8_t> gone(n, 0);
  for (int64_t i = 0; i < n; ++i) {
    if (gone[i]) continue;
    kept->push_back(members[i]);
    mark(c.x1.data(), c.y1.data(), c.x2.data(), c.y2.data(), c.area.data(), i, i + 1, n, threshold,
         gone.data());
  }
}

class Nms : public Kernel {
 public:
  explicit Nms(const OpCall& call)
      : rows_(call.in[0].shape[0]), threshold_(call.attrs.number("threshold", 0.5)) {}

  Status run(RunContext& context) override {
    const Box* boxes = context.in[0].as<Box>();
    const float* scores = context.in[1].as<float>();
    std::vector<int32_t> groups;
    if (context.in[2]) groups.assign(context.in[2].as<int32_t>(), context.in[2].as<int32_t>() + rows_);
    const auto kept = suppress({boxes, boxes + rows_}, {scores, scores + rows_},
                               context.in[2] ? &groups : nullptr, threshold_);
    if (Status status = context.allocate(0, {static_cast<int64_t>(kept.size())}); !status.ok()) return status;
    std::copy(kept.begin(), kept.end(), context.out[0].as<int32_t>());
    return {};
  }

 private:
  int64_t rows_;
  double threshold_;
};

}  // namespace

std::vector<int32_t> suppress(const std::vector<Box>& boxes, const std::vector<float>& scores,
                              const std::vector<int32_t>* groups, double threshold) {
  const auto order =
      largest(scores.data(), static_cast<int64_t>(scores.size()), static_cast<int64_t>(scores.size()));
  std::map<int32_t, std::vector<int32_t>> by_group;
  for (size_t i = 0; i < order.size(); ++i)
    by_group[groups ? (*groups)[order[i]] : 0].push_back(static_cast<int32_t>(i));
  std::vector<const std::vector<int32_t>*> members;
  for (const auto& [group, list] : by_group) members.push_back(&list);
  std::vector<std::vector<int32_t>> kept(members.size());
#pragma omp parallel for schedule(dynamic) if (order.size() > 256)
  for (size_t g = 0; g < members.size(); ++g) suppress_group(boxes, order, *members[g], threshold, &kept[g]);
  std::vector<int32_t> positions;
  for (const auto& list : kept) positions.insert(positions.end(), list.begin(), list.end());
  std::sort(positions.begin(), positions.end());
  for (int32_t& position : positions) position = order[position];
  return positions;
}

Result<std::unique_ptr<Kernel>> make_nms(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new Nms(call));
}

}  // namespace nlrcnn::cpu
