#include "ops/concat.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

template <class T>
NLRCNN_KERNEL void copy_values(Span<const T> from, Span<T> to, int64_t first, int64_t count) {
  const int64_t i = global_index();
  if (i < count) to[first + i] = from[i];
}

class Concat : public Kernel {
 public:
  explicit Concat(const OpCall& call) : call_(call) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    int64_t first = 0;
    for (size_t i = 0; i < call_.in.size(); ++i) {
      const int64_t count = call_.in[i].stored_elements(kBlock);
      if (count == 0) continue;
      const Status status = with_type(call_.out[0].dtype, [&](auto type) {
        using T = decltype(type);
        return launch(stream_of(context), "concat", grid_of(count), kThreads, copy_values<T>,
                      span<const T>(context.in[i]), span<T>(context.out[0]), first, count);
      });
      if (!status.ok()) return status;
      first += count;
    }
    return {};
  }

 private:
  OpCall call_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_concat(const OpCall& call, Stream&) {
  return made(std::make_unique<Concat>(call));
}

}  // namespace nlrcnn::cuda
