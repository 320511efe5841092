import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { scaleRowsBackward } from './scale_rows_backward.js';

/**
 * weight float32 [O, …] times scale [O], row by row: a convolution's weight with the norm behind it folded in (scale
 * gamma / sqrt(var + eps)).
 */
export function scaleRows(context: OpContext, weight: Tensor, scale: Tensor): Tensor {
  return single(context.op('scale_rows', [weight, scale]));
}

defineGradient('scale_rows', (context, { inputs: [weight, scale], needs }, [grad]) => [
  needs[0] ? scaleRows(context, grad!, scale!) : null,
  needs[1] ? scaleRowsBackward(context, grad!, weight!) : null,
]);
