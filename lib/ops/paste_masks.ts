import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { PasteOptions } from './mask_rle.js';

/**
 * torchvision's paste_masks_in_image, thresholded: probs float32 [D, M, M], boxes [D, 4] (xyxy) -> uint8
 * [D, height, width] of 0 and 1.
 */
export function pasteMasks(
  context: OpContext,
  probs: Tensor,
  boxes: Tensor,
  { height, width, threshold, count }: PasteOptions,
): Tensor {
  return single(context.op('paste_masks', [probs, boxes, count], { height, width, threshold }));
}

stopGradient('paste_masks');
