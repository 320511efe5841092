#include "ops/split_channels.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void split(Span<const float> weight, Span<float> left, Span<float> right, int64_t count,
                         int64_t left_each, int64_t right_each) {
  const int64_t i = global_index(), each = left_each + right_each;
  if (i >= count) return;
  const int64_t row = i / each, c = i % each;
  if (c < left_each)
    left[row * left_each + c] = weight[i];
  else
    right[row * right_each + c - left_each] = weight[i];
}

class SplitChannels : public Kernel {
 public:
  explicit SplitChannels(const OpCall& call) : call_(call) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const int64_t rows = call_.in[0].shape[0], count = element_count(call_.in[0].shape);
    if (count == 0) return {};
    return launch(stream_of(context), "split_channels", grid_of(count), kThreads, split,
                  span<const float>(context.in[0]), span<float>(context.out[0]), span<float>(context.out[1]),
                  count, element_count(call_.out[0].shape) / rows, element_count(call_.out[1].shape) / rows);
  }

 private:
  OpCall call_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_split_channels(const OpCall& call, Stream&) {
  return made(std::make_unique<SplitChannels>(call));
}

}  // namespace nlrcnn::cuda
