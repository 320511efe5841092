import { stopGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface PasteOptions {
  /** Of the picture, in pixels. */
  height: number;
  width: number;
  threshold: number;
  /** int32 [1]: how many leading masks are valid. */
  count?: Tensor | undefined;
}

export interface MaskRleOptions extends PasteOptions {
  /** float32 [8], see `geometryOf`: stands for the sizes above. */
  geometry?: Tensor | undefined;
}

/**
 * torchvision's paste_masks_in_image, thresholded, as COCO compressed RLE without the bitmaps: probs float32
 * [D, M, M], boxes [D, 4] (xyxy) -> bytes uint8 [-1] (one string after another), offsets int32 [count + 1].
 */
export function maskRle(
  context: OpContext,
  probs: Tensor,
  boxes: Tensor,
  { height, width, threshold, count, geometry }: MaskRleOptions,
): { bytes: Tensor; offsets: Tensor } {
  const attrs = { height, width, threshold };
  const [bytes, offsets] = context.op('mask_rle', [probs, boxes, count, geometry], attrs) as [Tensor, Tensor];
  return { bytes, offsets };
}

stopGradient('mask_rle');
