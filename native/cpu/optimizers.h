#pragma once
#include <algorithm>

#include "cpu/kernels.h"
#include "ops/optimizers.h"

namespace nlrcnn::cpu {

// Lists of tensors of one length, worked on in chunks of one size whatever the number of threads.
class TensorLists {
 public:
  // Inputs of `call` from `first` on, as `lists` lists.
  TensorLists(const OpCall& call, size_t first, size_t lists)
      : first_(first), count_((call.in.size() - first) / lists) {
    for (size_t i = 0; i < count_; ++i) {
      const int64_t size = element_count(call.in[first + i].shape);
      for (int64_t at = 0; at < size; at += kChunk) chunks_.push_back({i, at, std::min(kChunk, size - at)});
    }
  }

  size_t chunks() const { return chunks_.size(); }

  // body(chunk, values): values(list) points to the chunk's first value in a list; size(chunk) follow it.
  template <class Body>
  void each(const RunContext& context, const Body& body) const {
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < chunks_.size(); ++c) {
      const Chunk& chunk = chunks_[c];
      body(c, [&](size_t list) {
        return context.in[first_ + list * count_ + chunk.tensor].as<float>() + chunk.at;
      });
    }
  }
  int64_t size(size_t chunk) const {
    return chunks_[chunk].size;
  }

  // Says that the tensors of a list were written.
  void written(RunContext& context, size_t list) const {
    for (size_t i = 0; i < count_; ++i) context.written(first_ + list * count_ + i);
  }

 private:
  static constexpr int64_t kChunk = 1 << 14;
  struct Chunk {
    size_t tensor;
    int64_t at, size;
  };

  size_t first_, count_;
  std::vector<Chunk> chunks_;
};

// What an optimiser is told by input 0; all is well where there is none.
inline optimizers::Control control_of(const RunContext& context) {
  return context.in[0] ? *context.in[0].as<optimizers::Control>() : optimizers::Control{0, 1, 1};
}

}  // namespace nlrcnn::cpu
