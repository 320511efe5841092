#pragma once
#include "core/tensor.h"

namespace nlrcnn {

// What ops are made for: which backend, and in which precision activations are kept.
struct Target {
  bool cuda = false;
  int block = 16;              // channels that Layout::blocked rounds up to
  DType compute = DType::f32;  // of activations; accumulation is always float32
  bool tf32 = false;           // matrix products of float32 may round their factors to 10 bits
  bool learning = false;       // weights change between runs: preparing them counts as much as using them

  bool operator==(const Target&) const = default;
};

}  // namespace nlrcnn
