#include "ops/box_detections.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/select.h"
#include "ops/boxes.h"

namespace nlrcnn::cpu {
namespace {

class BoxDetections : public Kernel {
 public:
  explicit BoxDetections(const OpCall& call) : rows_(call.in[0].shape[0]), classes_(call.in[0].shape[1]) {
    box_detections::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[3], rows_);
    std::vector<float> all(rows * classes_);
#pragma omp parallel for
    for (int64_t i = 0; i < rows; ++i)
      softmax(context.in[0].as<float>() + i * classes_, all.data() + i * classes_);

    const auto* geometry = context.in[4].as<Geometry>();
    const float height = geometry ? geometry->resized_height : static_cast<float>(settings_.image_size[0]),
                width = geometry ? geometry->resized_width : static_cast<float>(settings_.image_size[1]);
    const float score_thresh = static_cast<float>(settings_.score_thresh),
                min_size = static_cast<float>(settings_.min_size);
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t c = 1; c < classes_; ++c) {
        const float score = all[i * classes_ + c];
        if (!(score > score_thresh)) continue;
        const float* delta = context.in[1].as<float>() + 4 * (i * classes_ + c);
        const Box box =
            clip_box(decode_box(context.in[2].as<Box>()[i], delta, settings_.weights.data()), height, width);
        if (!box_large_enough(box, min_size)) continue;
        boxes.push_back(box);
        scores.push_back(score);
        labels.push_back(static_cast<int32_t>(c));
      }
    const auto kept = suppress(boxes, scores, &labels, settings_.nms_thresh);
    const int64_t count = std::min<int64_t>(settings_.per_image, kept.size());
    for (int64_t i = 0; i < settings_.per_image; ++i) {
      const int32_t from = i < count ? kept[i] : -1;
      context.out[0].as<Box>()[i] = from < 0 ? Box{} : boxes[from];
      context.out[1].as<float>()[i] = from < 0 ? 0 : scores[from];
      context.out[2].as<int32_t>()[i] = from < 0 ? 0 : labels[from];
    }
    *context.out[3].as<int32_t>() = static_cast<int32_t>(count);
    return {};
  }

 private:
  void softmax(const float* logits, float* out) const {
    const float most = *std::max_element(logits, logits + classes_);
    float sum = 0;
    for (int64_t c = 0; c < classes_; ++c) sum += out[c] = std::exp(logits[c] - most);
    for (int64_t c = 0; c < classes_; ++c) out[c] /= sum;
  }

  int64_t rows_, classes_;
  box_detections::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_detections(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new BoxDetections(call));
}

}  // namespace nlrcnn::cpu
