import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/**
 * y = alpha · x + beta · y in place: lists of one length, float32 -> int32 [1], 1 once it is done. Adds up gradients
 * (1, 1), or keeps moving averages of weights (1 - decay, decay).
 */
export function axpby(
  context: OpContext,
  alpha: number,
  x: readonly Tensor[],
  beta: number,
  y: readonly Tensor[],
): Tensor {
  return single(context.op('axpby', [...y, ...x], { alpha, beta }));
}
