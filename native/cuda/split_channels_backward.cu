#include "ops/split_channels_backward.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// Either may be null: zeros.
NLRCNN_KERNEL void join(Span<const float> left, Span<const float> right, Span<float> out, int64_t count,
                        int64_t left_each, int64_t right_each) {
  const int64_t i = global_index(), each = left_each + right_each;
  if (i >= count) return;
  const int64_t row = i / each, c = i % each;
  if (c < left_each)
    out[i] = left ? left[row * left_each + c] : 0.0f;
  else
    out[i] = right ? right[row * right_each + c - left_each] : 0.0f;
}

class SplitChannelsBackward : public Kernel {
 public:
  explicit SplitChannelsBackward(const OpCall& call) : call_(call) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const int64_t rows = call_.out[0].shape[0], count = element_count(call_.out[0].shape);
    if (count == 0) return {};
    const int given = call_.has(0) ? 0 : 1;
    int64_t each[2];
    each[given] = element_count(call_.in[given].shape) / rows;
    each[1 - given] = count / rows - each[given];
    return launch(stream_of(context), "split_channels_backward", grid_of(count), kThreads, join,
                  span<const float>(context.in[0]), span<const float>(context.in[1]),
                  span<float>(context.out[0]), count, each[0], each[1]);
  }

 private:
  OpCall call_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_split_channels_backward(const OpCall& call, Stream&) {
  return made(std::make_unique<SplitChannelsBackward>(call));
}

}  // namespace nlrcnn::cuda
