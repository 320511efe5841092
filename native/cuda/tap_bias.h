#pragma once
#include "cuda/kernels.h"

namespace nlrcnn::cuda {

// Input `input`, a weight f32 [O, D, 3, 3], as [9, O', D] of `dtype`, O' being O rounded up and zeros there.
Result<void*> packed_taps(RunContext& context, size_t input, const Shape& shape, DType dtype);

}  // namespace nlrcnn::cuda
