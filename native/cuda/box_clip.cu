#include "ops/box_clip.h"

#include "cuda/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void clip(Span<const Box> boxes, Span<Box> out, int64_t rows, float height, float width) {
  const int64_t i = global_index();
  if (i < rows) out[i] = clip_box(boxes[i], height, width);
}

class BoxClip : public Kernel {
 public:
  explicit BoxClip(const OpCall& call) : call_(call), rows_(call.in[0].shape[0]) {}
  Status init() { return read_pair(call_, "image_size", 1, 0, size_); }

  Status run(RunContext& context) override {
    return launch(stream_of(context), "box_clip", grid_of(rows_), kThreads, clip,
                  span<const Box>(context.in[0].data, rows_), span<Box>(context.out[0].data, rows_), rows_,
                  static_cast<float>(size_[0]), static_cast<float>(size_[1]));
  }

 private:
  OpCall call_;
  int64_t rows_, size_[2];
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_clip(const OpCall& call, Stream&) {
  return made(std::make_unique<BoxClip>(call));
}

}  // namespace nlrcnn::cuda
