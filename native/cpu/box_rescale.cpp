#include "ops/box_rescale.h"

#include "cpu/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cpu {
namespace {

class BoxRescale : public Kernel {
 public:
  explicit BoxRescale(const OpCall& call) : rows_(call.in[0].shape[0]) {
    if (!call.has(1)) read_numbers(call, "scale", 2, &scale_);
  }

  Status run(RunContext& context) override {
    const auto* geometry = context.in[1].as<Geometry>();
    const float x = geometry ? geometry->scale_x : scale_[0], y = geometry ? geometry->scale_y : scale_[1];
    for (int64_t i = 0; i < rows_; ++i) {
      const Box& b = context.in[0].as<Box>()[i];
      context.out[0].as<Box>()[i] = {b.x1 * x, b.y1 * y, b.x2 * x, b.y2 * y};
    }
    return {};
  }

 private:
  int64_t rows_;
  std::vector<float> scale_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_rescale(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new BoxRescale(call));
}

}  // namespace nlrcnn::cpu
