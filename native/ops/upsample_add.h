#pragma once
#include "ops/check.h"

// lateral + nearest(top) (FPN's top-down step): top [N, C, h, w], lateral [N, C, H, W] -> [N, C, H, W].
namespace nlrcnn::upsample_add {

inline constexpr size_t kInputs = 2;

inline Wants wants(const OpCall&, size_t) {
  return Wants::blocked;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  if (Status s = check_float(call, 0, "top"); !s.ok()) return s;
  if (Status s = check_float(call, 1, "lateral"); !s.ok()) return s;
  const Shape &top = call.in[0].shape, &lateral = call.in[1].shape;
  if (lateral.size() != 4) return expected_shape("lateral", "[N, C, H, W]", lateral);
  if (top.size() != 4 || top[0] != lateral[0] || top[1] != lateral[1] || top[2] < 1 || top[3] < 1)
    return expected_shape(
        "top", ("[" + std::to_string(lateral[0]) + ", " + std::to_string(lateral[1]) + ", h, w]").c_str(),
        top);
  return std::vector<TensorDesc>{{call.target.compute, lateral, Layout::blocked}};
}

}  // namespace nlrcnn::upsample_add
