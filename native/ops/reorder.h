#pragma once
#include "core/op.h"

// Between plain and blocked layout; the graph inserts it, so its output is given rather than inferred.
namespace nlrcnn::reorder {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::any;
}
inline Result<std::vector<TensorDesc>> infer(const OpCall&) {
  return Status::error(Code::argument, "Expected an op that can be called but received reorder");
}

}  // namespace nlrcnn::reorder
