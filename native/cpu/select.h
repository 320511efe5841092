#pragma once
#include <cstdint>
#include <vector>

#include "ops/boxes.h"

// What choosing among scores needs: order and non-maximum suppression.
namespace nlrcnn::cpu {

// The k largest values, falling, equal ones by index; as topk and torch.sort(stable=True, descending=True).
std::vector<int32_t> largest(const float* values, int64_t n, int64_t k);

// torchvision.ops.batched_nms: boxes of different groups (null: all of one) never suppress each other. Kept
// indices by falling score, equal scores by index.
std::vector<int32_t> suppress(const std::vector<Box>& boxes, const std::vector<float>& scores,
                              const std::vector<int32_t>* groups, double threshold);

}  // namespace nlrcnn::cpu
