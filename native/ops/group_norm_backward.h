#pragma once
#include "ops/batch_norm_backward.h"

// Gradients of group_norm: as those of batch_norm, with mean and inverse [N, groups].
namespace nlrcnn::group_norm_backward {

inline constexpr size_t kInputs = batch_norm_backward::kInputs;

inline Wants wants(const OpCall& call, size_t input) {
  return batch_norm_backward::wants(call, input);
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t groups;
  const bool known = call.in[1].shape.size() == 4 && call.in[1].shape[1] > 0;
  if (Status s = norm::read_groups(call, known ? call.in[1].shape[1] : 0, &groups); !s.ok()) return s;
  return batch_norm_backward::infer_norm(call, groups);
}

}  // namespace nlrcnn::group_norm_backward
