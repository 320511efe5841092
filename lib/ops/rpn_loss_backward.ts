import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

export interface RpnLossBackwardOptions {
  /** float32 [1], the gradient of either loss; where absent, nothing flows back from it. */
  objectness?: Tensor | null | undefined;
  boxReg?: Tensor | null | undefined;
  images: number;
  /** A, of each place. */
  anchors: number;
  /** [height, width] of each level. */
  levelSizes: readonly Pair[];
}

/**
 * The way back of `rpnLoss`: what it gave as gradients [S] and [S, 4], its indices -> the gradients of each level's
 * objectness [N, A, h, w], then of its deltas [N, 4A, h, w].
 */
export function rpnLossBackward(
  context: OpContext,
  grads: readonly [Tensor, Tensor],
  indices: Tensor,
  options: RpnLossBackwardOptions,
): Tensor[] {
  const { objectness, boxReg, images, anchors, levelSizes } = options;
  return context.op('rpn_loss_backward', [...grads, indices, objectness, boxReg], {
    images,
    anchors,
    level_sizes: levelSizes.flat(),
  });
}
