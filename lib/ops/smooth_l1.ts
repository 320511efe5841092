import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { scale } from './scale.js';
import { type Loss, type LossOptions, reductionAttrs } from './sigmoid_cross_entropy.js';

export interface SmoothL1Options extends LossOptions {
  /** Where the square ends; torchvision's heads have 1/9. */
  beta?: number;
  /**
   * int32 [N]: pred is then [N, 4 C], targets [N, 4], and of each row with a label above 0 the four columns of its
   * class count, as in torchvision's fastrcnn_loss; the mean is over rows.
   */
  labels?: Tensor | undefined;
}

/** torch.nn.functional.smooth_l1_loss: pred and targets float32 of one shape, or by class (see `labels`). */
export function smoothL1(
  context: OpContext,
  pred: Tensor,
  targets: Tensor,
  options: SmoothL1Options = {},
): Loss {
  const { beta = 1, labels } = options;
  const outputs = context.op('smooth_l1', [pred, targets, labels], { ...reductionAttrs(options), beta });
  const [loss, grad] = outputs as [Tensor, Tensor];
  return { loss, grad };
}

defineGradient('smooth_l1', (context, { outputs }, [grad]) => [
  grad && scale(context, outputs[1]!, grad),
  null,
  null,
]);
