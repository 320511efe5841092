#pragma once
#include "cuda/kernels.h"
#include "ops/optimizers.h"

// Optimisers as few launches: each takes the addresses of many tensors as its argument.
namespace nlrcnn::cuda {

inline constexpr int kTensors = 40;  // of a launch; arguments end at 4 KiB
inline constexpr int64_t kPerBlock = 8 * kThreads;

// Tensor i of each of L lists of one length; its values are shared among blocks first_block[i] to below the
// next.
template <int L>
struct Tensors {
  float* data[L][kTensors];
  int64_t size[kTensors];
  uint32_t first_block[kTensors + 1];
  int count;
};

// What a block works on.
struct Piece {
  int tensor;
  int64_t begin, end;
};

template <int L>
NLRCNN_DEVICE Piece piece_of(const Tensors<L>& t) {
  int i = 0;
  while (i + 1 < t.count && block_x() >= t.first_block[i + 1]) ++i;
  const int64_t begin = (block_x() - t.first_block[i]) * kPerBlock, end = begin + kPerBlock;
  return {i, begin, end < t.size[i] ? end : t.size[i]};
}

template <int L>
NLRCNN_DEVICE Span<float> values(const Tensors<L>& t, int list, int tensor) {
  return {t.data[list][tensor], static_cast<size_t>(t.size[tensor])};
}

// Inputs of a call from `first` on as L lists, as many at once as one launch takes: body(tensors, blocks
// before).
template <int L, class Body>
Status each_launch(const RunContext& context, size_t first, const Body& body) {
  const size_t count = (context.in.size() - first) / L;
  uint32_t before = 0;
  for (size_t begin = 0; begin < count; begin += kTensors) {
    Tensors<L> t{};
    t.count = static_cast<int>(count - begin < kTensors ? count - begin : kTensors);
    for (int i = 0; i < t.count; ++i) {
      for (int l = 0; l < L; ++l)
        t.data[l][i] = context.in[first + l * count + begin + i].template as<float>();
      t.size[i] = element_count(context.in[first + begin + i].desc->shape);
      t.first_block[i + 1] = t.first_block[i] + static_cast<uint32_t>(ceil_div(t.size[i], kPerBlock));
    }
    if (Status s = body(t, before); !s.ok()) return s;
    before += t.first_block[t.count];
  }
  return {};
}

// Blocks of all launches.
inline int64_t blocks_of(const OpCall& call, size_t first, size_t lists) {
  int64_t blocks = 0;
  for (size_t i = first; i < first + (call.in.size() - first) / lists; ++i)
    blocks += ceil_div(element_count(call.in[i].shape), kPerBlock);
  return blocks;
}

// Says that the tensors of a list were written.
inline void written(RunContext& context, size_t first, size_t lists, size_t list) {
  const size_t count = (context.in.size() - first) / lists;
  for (size_t i = 0; i < count; ++i) context.written(first + list * count + i);
}

// control: three floats, or null: all is well.
NLRCNN_DEVICE bool is_finite(Span<const float> control) {
  return !control || control[2] != 0;
}
NLRCNN_DEVICE float factor_of(Span<const float> control) {
  return control ? control[1] : 1.0f;
}

// A template, so that each file that launches it has its own.
template <class Flag>
NLRCNN_KERNEL void report_applied(Span<const float> control, Span<Flag> applied) {
  if (thread_index() == 0) applied[0] = is_finite(control) ? 1 : 0;
}

inline Status report(RunContext& context, Span<const float> control) {
  return launch(stream_of(context), "applied", {1}, 32, report_applied<int32_t>, control,
                span<int32_t>(context.out[0]));
}

}  // namespace nlrcnn::cuda
