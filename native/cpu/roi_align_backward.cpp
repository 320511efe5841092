#include "ops/roi_align_backward.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/roi_align.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

template <int B>
NLRCNN_INLINE void spread(const float* grad, int64_t width, const Axis& ys, const Axis& xs, float scale,
                          float* plane) {
  using V = LanesOf<B>;
  auto* places = reinterpret_cast<V*>(plane);
  const auto* from = reinterpret_cast<const V*>(grad);
  for (size_t py = 0; py + 1 < ys.first.size(); ++py)
    for (size_t px = 0; px + 1 < xs.first.size(); ++px, ++from) {
      const V g = *from * scale;
      for (int iy = ys.first[py]; iy < ys.first[py + 1]; ++iy) {
        const Sample& y = ys.samples[iy];
        V *low = places + y.low * width, *high = places + y.high * width;
        for (int ix = xs.first[px]; ix < xs.first[px + 1]; ++ix) {
          const Sample& x = xs.samples[ix];
          low[x.low] += (y.low_weight * x.low_weight) * g;
          low[x.high] += (y.low_weight * x.high_weight) * g;
          high[x.low] += (y.high_weight * x.low_weight) * g;
          high[x.high] += (y.high_weight * x.high_weight) * g;
        }
      }
    }
}

NLRCNN_MULTIVERSION void spread_block(const float* grad, int64_t width, const Axis& ys, const Axis& xs,
                                      float scale, int block, float* plane) {
  block == 16 ? spread<16>(grad, width, ys, xs, scale, plane) : spread<8>(grad, width, ys, xs, scale, plane);
}

// Each block of channels belongs to one thread, which takes the RoIs in order.
class RoiAlignBackward : public Kernel {
 public:
  RoiAlignBackward(const OpCall& call, int block) : call_(call), block_(block) {
    roi_align_backward::read_levels(call, &levels_);
    roi_align::read_settings(call, levels_.size(), &settings_);
  }

  Status run(RunContext& context) override {
    const Shape &grad = call_.in[0].shape, &rois_shape = call_.in[1].shape;
    const int64_t rows = valid_rows(context.in[2], rois_shape[0]), columns = rois_shape[1];
    const float* rois = context.in[1].as<float>();
    if (Status status = check_images(rois, rows, columns, levels_[0][0]); !status.ok()) return status;
    std::vector<Prepared> prepared(rows);
    const int64_t blocks = (grad[1] + block_ - 1) / block_, bins = grad[2] * grad[3] * block_;
#pragma omp parallel
    {
#pragma omp for
      for (int64_t k = 0; k < rows; ++k) prepared[k].fill(rois + k * columns, columns, settings_, levels_);
#pragma omp for schedule(dynamic)
      for (int64_t b = 0; b < blocks; ++b) {
        for (size_t l = 0; l < levels_.size(); ++l)
          for (int64_t n = 0; n < levels_[l][0]; ++n)
            std::fill_n(plane(context, l, n, b, blocks), levels_[l][2] * levels_[l][3] * block_, 0.0f);
        for (int64_t k = 0; k < rows; ++k) {
          const Prepared& roi = prepared[k];
          spread_block(context.in[0].as<float>() + (k * blocks + b) * bins, levels_[roi.level][3], roi.ys,
                       roi.xs, roi.mean, block_, plane(context, roi.level, roi.image, b, blocks));
        }
      }
    }
    return {};
  }

 private:
  float* plane(const RunContext& context, size_t level, int64_t image, int64_t block, int64_t blocks) const {
    const int64_t size = levels_[level][2] * levels_[level][3] * block_;
    return context.out[level].as<float>() + (image * blocks + block) * size;
  }

  OpCall call_;
  int block_;
  roi_align::Settings settings_;
  std::vector<Shape> levels_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_roi_align_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new RoiAlignBackward(call, block));
}

}  // namespace nlrcnn::cpu
