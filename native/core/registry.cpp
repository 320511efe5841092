#include "core/op.h"
#include "ops/adamw.h"
#include "ops/add.h"
#include "ops/add_broadcast.h"
#include "ops/add_broadcast_backward.h"
#include "ops/axpby.h"
#include "ops/batch_norm.h"
#include "ops/batch_norm_backward.h"
#include "ops/box_clip.h"
#include "ops/box_decode.h"
#include "ops/box_detections.h"
#include "ops/box_rescale.h"
#include "ops/concat.h"
#include "ops/conv2d.h"
#include "ops/conv2d_backward.h"
#include "ops/conv_transpose2d.h"
#include "ops/conv_transpose2d_backward.h"
#include "ops/grad_norm.h"
#include "ops/group_norm.h"
#include "ops/group_norm_backward.h"
#include "ops/linear.h"
#include "ops/linear_backward.h"
#include "ops/list.h"
#include "ops/mask_loss.h"
#include "ops/mask_loss_backward.h"
#include "ops/mask_probs.h"
#include "ops/mask_rle.h"
#include "ops/mask_targets.h"
#include "ops/match_boxes.h"
#include "ops/max_pool2d.h"
#include "ops/max_pool2d_backward.h"
#include "ops/nms.h"
#include "ops/non_local_roi.h"
#include "ops/non_local_roi_backward.h"
#include "ops/paste_masks.h"
#include "ops/preprocess.h"
#include "ops/reorder.h"
#include "ops/reshape.h"
#include "ops/roi_align.h"
#include "ops/roi_align_backward.h"
#include "ops/rpn_loss.h"
#include "ops/rpn_loss_backward.h"
#include "ops/rpn_proposals.h"
#include "ops/scale.h"
#include "ops/scale_rows.h"
#include "ops/scale_rows_backward.h"
#include "ops/sgd.h"
#include "ops/sigmoid_cross_entropy.h"
#include "ops/smooth_l1.h"
#include "ops/softmax_cross_entropy.h"
#include "ops/split_channels.h"
#include "ops/split_channels_backward.h"
#include "ops/sum_places.h"
#include "ops/sum_places_backward.h"
#include "ops/tap_bias.h"
#include "ops/tap_bias_backward.h"
#include "ops/topk.h"
#include "ops/upsample_add.h"
#include "ops/upsample_add_backward.h"

namespace nlrcnn {
namespace {

const OpContract kContracts[] = {
#define NLRCNN_ENTRY(op) {#op, op::kInputs, op::wants, op::infer},
    NLRCNN_OPS(NLRCNN_ENTRY)
#undef NLRCNN_ENTRY
};

}  // namespace

const OpContract* find_contract(const std::string& name) {
  for (const OpContract& contract : kContracts)
    if (name == contract.name) return &contract;
  return nullptr;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const OpContract& contract : kContracts) names.emplace_back(contract.name);
  return names;
}

}  // namespace nlrcnn
