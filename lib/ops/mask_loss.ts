import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { maskLossBackward } from './mask_loss_backward.js';
import type { Loss } from './sigmoid_cross_entropy.js';

export interface MaskLossOptions {
  /** RoIs that the mean is over: those with a label of 0 or more. Default: all */
  rois?: number;
}

/**
 * torchvision's maskrcnn_loss with its targets given: logits float32 [K, C, H, W], labels int32 [K] below C, targets
 * float32 [K, H, W] -> mean binary cross entropy of each RoI's own class (0 of no RoIs), and its gradient with regard
 * to those logits [K, H, W]. RoIs of label -1 count nothing.
 */
export function maskLoss(
  context: OpContext,
  logits: Tensor,
  labels: Tensor,
  targets: Tensor,
  { rois }: MaskLossOptions = {},
): Loss {
  const attrs = rois === undefined ? {} : { rois };
  const [loss, grad] = context.op('mask_loss', [logits, labels, targets], attrs) as [Tensor, Tensor];
  return { loss, grad };
}

defineGradient('mask_loss', (context, { inputs, outputs }, [grad]) => {
  const [logits, labels] = inputs;
  return [grad && maskLossBackward(context, outputs[1]!, labels!, grad, logits!.shape[1]!), null, null];
});
