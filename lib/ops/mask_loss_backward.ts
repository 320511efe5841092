import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/**
 * The way back of `maskLoss`: what it gave as gradient [K, H, W], its labels (-1: none), and the loss's own gradient [1] -> that
 * of all logits [K, classes, H, W].
 */
export function maskLossBackward(
  context: OpContext,
  grad: Tensor,
  labels: Tensor,
  upstream: Tensor,
  classes: number,
): Tensor {
  return single(context.op('mask_loss_backward', [grad, labels, upstream], { classes }));
}
