import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** a + b, float32 of one shape. */
export function add(context: OpContext, a: Tensor, b: Tensor): Tensor {
  return single(context.op('add', [a, b]));
}

defineGradient('add', (_context, _call, [grad]) => [grad!, grad!]);
