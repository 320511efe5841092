#pragma once
#include "ops/roi_align.h"

// The gradient of roi_align with regard to its levels: grad [K, C, ph, pw], rois [K, 4] or [K, 5], count [1]?
// -> the gradient of each level [N, C, h, w], `level_sizes` h and w of each, `images` N. Summed in one order,
// so that the outcome is the same each time.
namespace nlrcnn::roi_align_backward {

inline constexpr size_t kInputs = 3;

inline Wants wants(const OpCall&, size_t input) {
  return input == 0 ? Wants::blocked : Wants::plain;
}

// [N, C, h, w] of each level.
inline Status read_levels(const OpCall& call, std::vector<Shape>* out) {
  const auto sizes = call.attrs.numbers("level_sizes", {});
  int64_t images;
  if (Status s = read_integer(call, "images", 1, 1, &images); !s.ok()) return s;
  bool known = !sizes.empty() && sizes.size() % 2 == 0;
  for (double v : sizes) known = known && v >= 1 && v <= 1 << 24 && v == static_cast<int64_t>(v);
  if (!known)
    return Status::error(
        Code::argument,
        "Expected level_sizes of roi_align_backward to be the height and width of each level");
  for (size_t i = 0; i < sizes.size(); i += 2)
    out->push_back(
        {images, call.in[0].shape[1], static_cast<int64_t>(sizes[i]), static_cast<int64_t>(sizes[i + 1])});
  return {};
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  roi_align::Settings settings;
  std::vector<Shape> levels;
  if (Status s = check_float(call, 0, "grad"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "rois"); !s.ok()) return s;
  const Shape &grad = call.in[0].shape, &rois = call.in[1].shape;
  if (rois.size() != 2 || (rois[1] != 4 && rois[1] != 5)) return expected_shape("rois", "[K, 5]", rois);
  if (grad.size() != 4) return expected_shape("grad", "[K, C, ph, pw]", grad);
  if (Status s = check_count(call, 2); !s.ok()) return s;
  if (Status s = read_levels(call, &levels); !s.ok()) return s;
  if (Status s = roi_align::read_settings(call, levels.size(), &settings); !s.ok()) return s;
  const Shape wanted{rois[0], grad[1], settings.output[0], settings.output[1]};
  if (grad != wanted) return expected_shape("grad", to_string(wanted).c_str(), grad);
  std::vector<TensorDesc> out;
  for (const Shape& level : levels) out.push_back({call.target.compute, level, Layout::blocked});
  return out;
}

}  // namespace nlrcnn::roi_align_backward
