#include "ops/reorder.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

// Sizes of a tensor of four dimensions; others count as [elements, 1, 1, 1].
struct Sizes {
  int64_t n, c, h, w;
  int64_t padded_c;
};

// The element at (n, c, y, x) of either layout.
NLRCNN_DEVICE int64_t offset(const Sizes& s, bool blocked, int64_t n, int64_t c, int64_t y, int64_t x) {
  return blocked ? ((n * s.h + y) * s.w + x) * s.padded_c + c : ((n * s.c + c) * s.h + y) * s.w + x;
}

// One thread for each element of the output, padding included.
template <class From, class To>
NLRCNN_KERNEL void reorder_values(Span<const From> from, Span<To> to, Sizes s, bool from_blocked,
                                  bool to_blocked) {
  const int64_t at = global_index();
  const int64_t channels = to_blocked ? s.padded_c : s.c;
  if (at >= s.n * channels * s.h * s.w) return;
  int64_t n, c, y, x;
  if (to_blocked) {
    c = at % channels;
    x = at / channels % s.w;
    y = at / channels / s.w % s.h;
    n = at / channels / s.w / s.h;
  } else {
    x = at % s.w;
    y = at / s.w % s.h;
    c = at / s.w / s.h % channels;
    n = at / s.w / s.h / channels;
  }
  to[at] = from_float<To>(c < s.c ? to_float(from[offset(s, from_blocked, n, c, y, x)]) : 0.0f);
}

class Reorder : public Kernel {
 public:
  explicit Reorder(const OpCall& call) : from_(call.in[0]), to_(call.out[0]) {}
  Status init() { return {}; }

  Status run(RunContext& context) override {
    const Shape& shape = from_.shape;
    Sizes s{element_count(shape), 1, 1, 1, 1};
    if (shape.size() == 4) s = {shape[0], shape[1], shape[2], shape[3], padded(shape[1])};
    const bool from_blocked = from_.layout == Layout::blocked, to_blocked = to_.layout == Layout::blocked;
    return with_type(from_.dtype, [&](auto from) {
      return with_type(to_.dtype, [&](auto to) {
        using From = decltype(from);
        using To = decltype(to);
        return launch(stream_of(context), "reorder", grid_of(to_.stored_elements(kBlock)), kThreads,
                      reorder_values<From, To>, span<const From>(context.in[0]), span<To>(context.out[0]), s,
                      from_blocked, to_blocked);
      });
    });
  }

 private:
  TensorDesc from_, to_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reorder(const OpCall& call, Stream&) {
  return made(std::make_unique<Reorder>(call));
}

}  // namespace nlrcnn::cuda
