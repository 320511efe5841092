#include "ops/add_broadcast.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void add_rows(Span<const T> x, Span<const T> v, Span<const int32_t> count, Span<T> out,
                            int64_t rows, int64_t places, int64_t channels, int64_t padded_channels) {
  constexpr int kSize = Pack<T>::kSize;
  const int64_t i = global_index() * kSize, row = i / (places * padded_channels), c = i % padded_channels;
  if (row >= rows_of(count, rows)) return;
  Pack<T> pack = load_pack(x, i);
  for (int k = 0; k < kSize; ++k)
    if (c + k < channels)
      pack.values[k] = from_float<T>(to_float(pack.values[k]) + to_float(v[row * channels + c + k]));
  store_pack(out, i, pack);
}

class AddBroadcast : public Kernel {
 public:
  explicit AddBroadcast(const OpCall& call) : shape_(call.in[0].shape), dtype_(call.target.compute) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    return with_type(dtype_, [&](auto type) {
      using T = decltype(type);
      const int64_t places = shape_[2] * shape_[3], all = shape_[0] * places * padded(shape_[1]);
      return launch(stream_of(context), "add_broadcast", grid_of(all / Pack<T>::kSize), kThreads, add_rows<T>,
                    span<const T>(context.in[0]), span<const T>(context.in[1]),
                    span<const int32_t>(context.in[2]), span<T>(context.out[0]), shape_[0], places, shape_[1],
                    padded(shape_[1]));
    });
  }

 private:
  Shape shape_;
  DType dtype_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_add_broadcast(const OpCall& call, Stream&) {
  return made(std::make_unique<AddBroadcast>(call));
}

}  // namespace nlrcnn::cuda
