import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { type NormBackwardOptions, type NormGradients, normBackward } from './batch_norm_backward.js';

/** Gradients of `groupNorm`, as those of `batchNorm` but that mean and inverse are [N, groups]. */
export function groupNormBackward(
  context: OpContext,
  grad: Tensor,
  x: Tensor,
  weight: Tensor,
  statistics: { mean: Tensor; inverse: Tensor },
  groups: number,
  options: NormBackwardOptions = {},
): NormGradients {
  return normBackward(context, 'group_norm_backward', [grad, x, weight], statistics, options, { groups });
}
