import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { scale } from './scale.js';
import { type Loss, type LossOptions, reductionAttrs } from './sigmoid_cross_entropy.js';

/**
 * torch.nn.functional.cross_entropy: logits float32 [N, C], labels int32 [N], from 0 to below C; reading rejects with
 * ERR_NLRCNN_ARGUMENT for others.
 */
export function softmaxCrossEntropy(
  context: OpContext,
  logits: Tensor,
  labels: Tensor,
  options: LossOptions = {},
): Loss {
  const outputs = context.op('softmax_cross_entropy', [logits, labels], reductionAttrs(options));
  const [loss, grad] = outputs as [Tensor, Tensor];
  return { loss, grad };
}

defineGradient('softmax_cross_entropy', (context, { outputs }, [grad]) => [
  grad && scale(context, outputs[1]!, grad),
  null,
]);
