import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/**
 * torchvision's BoxCoder.decode_single: boxes float32 [N, 4] (xyxy), deltas [N, 4C], weights of dx, dy, dw, dh ->
 * [N, 4C].
 */
export function boxDecode(
  context: OpContext,
  boxes: Tensor,
  deltas: Tensor,
  weights: readonly number[] = [1, 1, 1, 1],
): Tensor {
  return single(context.op('box_decode', [boxes, deltas], { weights }));
}

stopGradient('box_decode');
