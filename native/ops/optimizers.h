#pragma once
#include <cmath>

#include "ops/norm.h"

// What the optimisers share. Each takes all tensors of a parameter group at once, float32 row-major, and
// writes parameters and state in place: lists of one length, one after the other. A control f32 [3], as
// grad_norm gives it, comes before them.
namespace nlrcnn::optimizers {

// The norm of all gradients; what to multiply each by; 1 where all are finite, else 0: then nothing is
// written.
struct Control {
  float norm, factor, finite;
};

// One more, up to what an int32 holds.
NLRCNN_HD inline int32_t counted_up(int32_t count) {
  return count < INT32_MAX ? count + 1 : count;
}

// `lists` lists behind `first` inputs; those whose bit is set in `in_place` are written.
inline Status check_lists(const OpCall& call, size_t first, const std::vector<const char*>& lists,
                          unsigned in_place) {
  const size_t all = call.in.size() < first ? 0 : call.in.size() - first;
  if (all == 0 || all % lists.size())
    return Status::error(Code::argument, "Expected " + std::to_string(lists.size()) +
                                             " lists of tensors of one length for " + call.name);
  const size_t count = all / lists.size();
  for (size_t l = 0; l < lists.size(); ++l)
    for (size_t i = 0; i < count; ++i) {
      const size_t at = first + l * count + i;
      if (Status s = check_float(call, at, lists[l]); !s.ok()) return s;
      if (Status s = check_shape(call, at, lists[l], call.in[first + i].shape); !s.ok()) return s;
      if (in_place >> l & 1)
        if (Status s = norm::check_in_place(call, at, lists[l]); !s.ok()) return s;
    }
  return {};
}

inline Status check_control(const OpCall& call) {
  return call.has(0) ? check_shape(call, 0, "control", {3}) : Status{};
}

// Whether it was applied, i32 [1]: what reading waits for and fails with.
inline std::vector<TensorDesc> applied() {
  return {{DType::i32, {1}}};
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

}  // namespace nlrcnn::optimizers
