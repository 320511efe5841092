#pragma once

// Every op of the package: native/ops/NAME.h is its contract, native/cpu/NAME.cpp and native/cuda/NAME.cu its
// kernels, lib/ops/NAME.ts its wrapper.
#define NLRCNN_OPS(OP)        \
  OP(adamw)                   \
  OP(add)                     \
  OP(add_broadcast)           \
  OP(add_broadcast_backward)  \
  OP(axpby)                   \
  OP(batch_norm)              \
  OP(batch_norm_backward)     \
  OP(box_clip)                \
  OP(box_decode)              \
  OP(box_detections)          \
  OP(box_rescale)             \
  OP(conv2d)                  \
  OP(conv_transpose2d)        \
  OP(grad_norm)               \
  OP(group_norm)              \
  OP(group_norm_backward)     \
  OP(linear)                  \
  OP(mask_loss)               \
  OP(mask_loss_backward)      \
  OP(mask_probs)              \
  OP(mask_rle)                \
  OP(max_pool2d)              \
  OP(max_pool2d_backward)     \
  OP(nms)                     \
  OP(non_local_roi)           \
  OP(non_local_roi_backward)  \
  OP(paste_masks)             \
  OP(preprocess)              \
  OP(reorder)                 \
  OP(reshape)                 \
  OP(roi_align)               \
  OP(roi_align_backward)      \
  OP(rpn_loss)                \
  OP(rpn_loss_backward)       \
  OP(rpn_proposals)           \
  OP(scale)                   \
  OP(scale_rows)              \
  OP(scale_rows_backward)     \
  OP(sgd)                     \
  OP(sigmoid_cross_entropy)   \
  OP(smooth_l1)               \
  OP(softmax_cross_entropy)   \
  OP(split_channels)          \
  OP(split_channels_backward) \
  OP(sum_places)              \
  OP(sum_places_backward)     \
  OP(tap_bias)                \
  OP(tap_bias_backward)       \
  OP(topk)                    \
  OP(upsample_add)            \
  OP(upsample_add_backward)
