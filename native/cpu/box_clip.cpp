#include "ops/box_clip.h"

#include "cpu/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cpu {
namespace {

class BoxClip : public Kernel {
 public:
  explicit BoxClip(const OpCall& call) : rows_(call.in[0].shape[0]) {
    read_pair(call, "image_size", 1, 0, size_);
  }

  Status run(RunContext& context) override {
    for (int64_t i = 0; i < rows_; ++i)
      context.out[0].as<Box>()[i] =
          clip_box(context.in[0].as<Box>()[i], static_cast<float>(size_[0]), static_cast<float>(size_[1]));
    return {};
  }

 private:
  int64_t rows_, size_[2];
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_clip(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new BoxClip(call));
}

}  // namespace nlrcnn::cpu
