import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { type DenseGradients, type DenseGradientsAsked, denseGradients } from './dense_gradients.js';

export interface ConvTranspose2dBackwardOptions extends Omit<DenseGradientsAsked, 'dresidual'> {
  /** What `convTranspose2d` gave, where it has a ReLU. */
  y?: Tensor | undefined;
  /** int32 [1]: how many leading images are valid; the others bear on nothing. */
  count?: Tensor | undefined;
}

/**
 * Gradients of `convTranspose2d` (same x and weight), those that are asked for and no more: grad float32
 * [N, O, 2H, 2W] -> of x [N, C, H, W] (zero beyond `count`), weight [C, O, 2, 2] and bias [O].
 */
export function convTranspose2dBackward(
  context: OpContext,
  grad: Tensor,
  x: Tensor,
  weight: Tensor,
  options: ConvTranspose2dBackwardOptions,
): DenseGradients {
  const { y, count } = options;
  return denseGradients(context, 'conv_transpose2d_backward', [grad, x, weight, y, count], options);
}
