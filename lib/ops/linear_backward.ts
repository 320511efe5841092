import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { type DenseGradients, type DenseGradientsAsked, denseGradients } from './dense_gradients.js';

export interface LinearBackwardOptions extends DenseGradientsAsked {
  /** What `linear` gave, where it has a ReLU. */
  y?: Tensor | undefined;
  /** int32 [1]: how many leading rows are valid; the others bear on nothing. */
  count?: Tensor | undefined;
}

/**
 * Gradients of `linear` (same x and weight), those that are asked for and no more: grad float32 [N, O] -> of x (zero
 * beyond `count`), weight [O, K], bias [O], and as `residual` of what was accumulated.
 */
export function linearBackward(
  context: OpContext,
  grad: Tensor,
  x: Tensor,
  weight: Tensor,
  options: LinearBackwardOptions,
): DenseGradients {
  const { y, count } = options;
  return denseGradients(context, 'linear_backward', [grad, x, weight, y, count], options);
}
