import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** A copy of x, float32 row-major, of another shape with as many values. */
export function reshape(context: OpContext, x: Tensor, shape: readonly number[]): Tensor {
  return single(context.op('reshape', [x], { shape }));
}

defineGradient('reshape', (context, { inputs }, [grad]) => [reshape(context, grad!, inputs[0]!.shape)]);
