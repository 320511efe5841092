#pragma once
#include "cpu/onednn.h"

namespace nlrcnn::cpu {

// weight [C, O, 2, 2] as that of a 1×1 convolution, [4, O', C] with O' rounded up to whole blocks; kept on
// the weight.
Result<std::shared_ptr<Storage>> packed_transposed(const RunContext& context, size_t weight,
                                                   const Shape& shape, int64_t padded);

}  // namespace nlrcnn::cpu
