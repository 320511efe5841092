#include "ops/topk.h"

#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

NLRCNN_KERNEL void make_keys(Span<const float> values, Span<uint64_t> keys, int64_t n) {
  const int64_t i = global_index();
  if (i < n) keys[i] = static_cast<uint64_t>(falling_key(values[i])) << 32 | static_cast<uint64_t>(i);
}

NLRCNN_KERNEL void take(Span<const uint64_t> sorted, Span<const float> values, Span<float> out,
                        Span<int32_t> indices, int64_t k) {
  const int64_t i = global_index();
  if (i >= k) return;
  const auto index = static_cast<int32_t>(sorted[i]);
  indices[i] = index;
  out[i] = values[index];
}

class TopK : public Kernel {
 public:
  explicit TopK(const OpCall& call) : rows_(call.in[0].shape[0]), k_(call.out[0].shape[0]) {}

  Status init() {
    keys_ = layout_.take(rows_ * sizeof(uint64_t));
    sorted_ = layout_.take(rows_ * sizeof(uint64_t));
    sort_ = layout_.take(sort_workspace_bytes(rows_));
    return {};
  }
  size_t workspace_bytes() const override { return layout_.bytes(); }

  Status run(RunContext& context) override {
    Stream& stream = stream_of(context);
    char* workspace = static_cast<char*>(context.workspace);
    const auto keys = span<uint64_t>(workspace + keys_, rows_),
               sorted = span<uint64_t>(workspace + sorted_, rows_);
    const auto values = span<const float>(context.in[0]);
    if (Status s = launch(stream, "topk keys", grid_of(rows_), kThreads, make_keys, values, keys, rows_);
        !s.ok())
      return s;
    if (Status s = sort_keys(stream, keys.data, sorted.data, rows_, 32, 64, workspace + sort_); !s.ok())
      return s;
    return launch(stream, "topk", grid_of(k_), kThreads, take, sorted, values, span<float>(context.out[0]),
                  span<int32_t>(context.out[1]), k_);
  }

 private:
  int64_t rows_, k_;
  Layouter layout_;
  size_t keys_ = 0, sorted_ = 0, sort_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_topk(const OpCall& call, Stream&) {
  return made(std::make_unique<TopK>(call));
}

}  // namespace nlrcnn::cuda
