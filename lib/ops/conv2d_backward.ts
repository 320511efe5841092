import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';
import { type DenseGradients, type DenseGradientsAsked, denseGradients } from './dense_gradients.js';

export interface Conv2dBackwardOptions extends DenseGradientsAsked {
  /** What `conv2d` gave, where it has a ReLU. */
  y?: Tensor | undefined;
  /** int32 [1]: how many leading images are valid; the others bear on nothing. */
  count?: Tensor | undefined;
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
}

/**
 * Gradients of `conv2d` (same x, weight and settings), those that are asked for and no more: grad float32
 * [N, O, H', W'] -> of x [N, C, H, W] (zero beyond `count`), weight [O, C / groups, kh, kw], bias [O] and residual.
 * Sums have one order: the same inputs give the same bits.
 */
export function conv2dBackward(
  context: OpContext,
  grad: Tensor,
  x: Tensor,
  weight: Tensor,
  options: Conv2dBackwardOptions,
): DenseGradients {
  const { y, count, stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 } = options;
  const attrs = { stride, padding, dilation, groups };
  return denseGradients(context, 'conv2d_backward', [grad, x, weight, y, count], options, attrs);
}
