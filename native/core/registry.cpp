#include <cstring>

#include "core/op.h"
#include "cpu/kernels.h"
#include "ops/add_broadcast.h"
#include "ops/box_clip.h"
#include "ops/box_decode.h"
#include "ops/box_detections.h"
#include "ops/box_rescale.h"
#include "ops/conv2d.h"
#include "ops/conv_transpose2d.h"
#include "ops/linear.h"
#include "ops/list.h"
#include "ops/mask_probs.h"
#include "ops/mask_rle.h"
#include "ops/max_pool2d.h"
#include "ops/nms.h"
#include "ops/non_local_roi.h"
#include "ops/paste_masks.h"
#include "ops/preprocess.h"
#include "ops/reorder.h"
#include "ops/roi_align.h"
#include "ops/rpn_proposals.h"
#include "ops/tap_bias.h"
#include "ops/topk.h"
#include "ops/upsample_add.h"

namespace nlrcnn {
namespace {

struct Entry {
  OpContract contract;
  KernelFactory cpu;
};

const Entry kEntries[] = {
#define NLRCNN_ENTRY(op) {{#op, op::kInputs, op::wants, op::infer}, cpu::make_##op},
    NLRCNN_OPS(NLRCNN_ENTRY)
#undef NLRCNN_ENTRY
};

const Entry* find(const std::string& name) {
  for (const Entry& entry : kEntries)
    if (name == entry.contract.name) return &entry;
  return nullptr;
}

}  // namespace

const OpContract* find_contract(const std::string& name) {
  const Entry* entry = find(name);
  return entry ? &entry->contract : nullptr;
}

KernelFactory find_cpu_kernel(const std::string& name) {
  const Entry* entry = find(name);
  return entry ? entry->cpu : nullptr;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.contract.name);
  return names;
}

}  // namespace nlrcnn
