#pragma once

// Every op of the package: native/ops/NAME.h is its contract, native/cpu/NAME.cpp and native/cuda/NAME.cu its
// kernels, lib/ops/NAME.ts its wrapper.
#define NLRCNN_OPS(OP)       \
  OP(add)                    \
  OP(add_broadcast)          \
  OP(box_clip)               \
  OP(box_decode)             \
  OP(box_detections)         \
  OP(box_rescale)            \
  OP(conv2d)                 \
  OP(conv_transpose2d)       \
  OP(linear)                 \
  OP(mask_probs)             \
  OP(mask_rle)               \
  OP(max_pool2d)             \
  OP(nms)                    \
  OP(non_local_roi)          \
  OP(non_local_roi_backward) \
  OP(paste_masks)            \
  OP(preprocess)             \
  OP(reorder)                \
  OP(roi_align)              \
  OP(roi_align_backward)     \
  OP(rpn_proposals)          \
  OP(tap_bias)               \
  OP(topk)                   \
  OP(upsample_add)
