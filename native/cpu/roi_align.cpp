#include "cpu/roi_align.h"

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"

namespace nlrcnn::cpu {
namespace {

using roi_align::Sample;

template <int B>
NLRCNN_INLINE const LanesOf<B>& load(const float* row, int column) {
  return *reinterpret_cast<const LanesOf<B>*>(row + column * B);
}

template <int B>
NLRCNN_INLINE void pool(const float* plane, int64_t width, const Axis& ys, const Axis& xs, float scale,
                        float* out) {
  using V = LanesOf<B>;
  for (size_t py = 0; py + 1 < ys.first.size(); ++py)
    for (size_t px = 0; px + 1 < xs.first.size(); ++px, out += B) {
      V sum{};
      for (int iy = ys.first[py]; iy < ys.first[py + 1]; ++iy) {
        const Sample& y = ys.samples[iy];
        const float *low = plane + y.low * width * B, *high = plane + y.high * width * B;
        for (int ix = xs.first[px]; ix < xs.first[px + 1]; ++ix) {
          const Sample& x = xs.samples[ix];
          const V above = x.low_weight * load<B>(low, x.low) + x.high_weight * load<B>(low, x.high);
          const V below = x.low_weight * load<B>(high, x.low) + x.high_weight * load<B>(high, x.high);
          sum += y.low_weight * above + y.high_weight * below;
        }
      }
      *reinterpret_cast<V*>(out) = sum * scale;
    }
}

NLRCNN_MULTIVERSION void pool_block(const float* plane, int64_t width, const Axis& ys, const Axis& xs,
                                    float scale, int block, float* out) {
  block == 16 ? pool<16>(plane, width, ys, xs, scale, out) : pool<8>(plane, width, ys, xs, scale, out);
}

// RoIs whose samples are held at once.
constexpr int64_t kPass = 4096;

class RoiAlign : public Kernel {
 public:
  RoiAlign(const OpCall& call, int block) : call_(call), block_(block) {
    roi_align::read_settings(call, call.in.size() - 2, &settings_);
    for (size_t i = 2; i < call.in.size(); ++i) levels_.push_back(call.in[i].shape);
  }

  Status run(RunContext& context) override {
    const Shape& rois_shape = call_.in[0].shape;
    const int64_t rows = valid_rows(context.in[1], rois_shape[0]), columns = rois_shape[1];
    const float* rois = context.in[0].as<float>();
    const int64_t images = call_.in[2].shape[0];
    if (Status status = check_images(rois, rows, columns, images); !status.ok()) return status;
    std::vector<Prepared> prepared(std::min(rows, kPass));
    const int64_t blocks = (call_.in[2].shape[1] + block_ - 1) / block_;
    for (int64_t first = 0; first < rows; first += kPass) {
      const int64_t count = std::min(kPass, rows - first);
#pragma omp parallel
      {
#pragma omp for
        for (int64_t k = 0; k < count; ++k)
          prepared[k].fill(rois + (first + k) * columns, columns, settings_, levels_);
          // One block of channels of all maps fits into the caches, where the RoIs then find it again and
          // again.
#pragma omp for schedule(dynamic, 32)
        for (int64_t i = 0; i < blocks * count; ++i)
          align(context, prepared[i % count], i / count, blocks, first + i % count);
      }
    }
    return {};
  }

 private:
  void align(const RunContext& context, const Prepared& roi, int64_t block, int64_t blocks, int64_t k) const {
    const Shape& map = call_.in[2 + roi.level].shape;
    const int64_t plane = map[2] * map[3] * block_, bins = settings_.output[0] * settings_.output[1] * block_;
    const float* from = context.in[2 + roi.level].as<float>() + (roi.image * blocks + block) * plane;
    pool_block(from, map[3], roi.ys, roi.xs, roi.mean, block_,
               context.out[0].as<float>() + (k * blocks + block) * bins);
  }

  OpCall call_;
  int block_;
  roi_align::Settings settings_;
  std::vector<Shape> levels_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_roi_align(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new RoiAlign(call, block));
}

}  // namespace nlrcnn::cpu
