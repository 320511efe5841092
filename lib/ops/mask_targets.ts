import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface MaskTargetsOptions {
  /** Side of the target: M of torchvision's maskrcnn_loss. */
  size: number;
}

/**
 * torchvision's project_masks_on_boxes: RoIAlign of binary masks.
 *
 * bitmaps uint8 [B]: masks of 0 and 1, row-major, one after another. windows int32 [G, 9]: where each is: offset in
 * `bitmaps`; x, y, width, height of its window in the picture, outside of which it is 0; height, width of the picture;
 * height, width of the resized picture (nearest, as GeneralizedRCNNTransform resizes masks). rois float32 [K, 5]: object,
 * x1, y1, x2, y2 in pixels of the resized picture. -> float32 [K, size, size].
 */
export function maskTargets(
  context: OpContext,
  bitmaps: Tensor,
  windows: Tensor,
  rois: Tensor,
  { size }: MaskTargetsOptions,
): Tensor {
  return single(context.op('mask_targets', [bitmaps, windows, rois], { size }));
}
