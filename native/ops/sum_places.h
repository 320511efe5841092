#pragma once
#include "ops/check.h"

// weight [O, C · places] -> its sums over each channel's places [O, C], float32: what a layer does to
// features that are the same at each place.
namespace nlrcnn::sum_places {

inline constexpr size_t kInputs = 1;

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  int64_t places;
  if (Status s = check_float(call, 0, "weight"); !s.ok()) return s;
  if (Status s = read_integer(call, "places", 1, 0, &places); !s.ok()) return s;
  const Shape& w = call.in[0].shape;
  if (w.size() != 2 || w[1] % places)
    return expected_shape("weight", ("[O, C · " + std::to_string(places) + "]").c_str(), w);
  return std::vector<TensorDesc>{{DType::f32, {w[0], w[1] / places}}};
}

}  // namespace nlrcnn::sum_places
