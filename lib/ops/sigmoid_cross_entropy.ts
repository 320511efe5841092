import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { scale } from './scale.js';

export interface LossOptions {
  /** Default `mean`, which of no terms is 0. */
  reduction?: 'mean' | 'sum';
  /** What a sum is divided by. */
  normalizer?: number;
}

export interface Loss {
  /** float32 [1] */
  loss: Tensor;
  /** float32: the loss's gradient, made at the same pass and kept for the way back. */
  grad: Tensor;
}

/** Reduction as the native losses take it. */
export function reductionAttrs({ reduction = 'mean', normalizer = 1 }: LossOptions) {
  return { mean: reduction === 'mean', normalizer };
}

/** torch.nn.functional.binary_cross_entropy_with_logits: logits and targets float32 of one shape. */
export function sigmoidCrossEntropy(
  context: OpContext,
  logits: Tensor,
  targets: Tensor,
  options: LossOptions = {},
): Loss {
  const outputs = context.op('sigmoid_cross_entropy', [logits, targets], reductionAttrs(options));
  const [loss, grad] = outputs as [Tensor, Tensor];
  return { loss, grad };
}

defineGradient('sigmoid_cross_entropy', (context, { outputs }, [grad]) => [
  grad && scale(context, outputs[1]!, grad),
  null,
]);
