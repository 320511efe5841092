import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

export interface MaxPool2dOptions {
  kernel: Pair;
  stride: Pair;
  padding?: Pair;
}

/** torch.nn.functional.max_pool2d: x float32 [N, C, H, W] -> [N, C, H', W']. */
export function maxPool2d(
  context: OpContext,
  x: Tensor,
  { kernel, stride, padding = [0, 0] }: MaxPool2dOptions,
): Tensor {
  return single(context.op('max_pool2d', [x], { kernel, stride, padding }));
}

defineGradient('max_pool2d', (context, { inputs, attrs }, [grad]) =>
  context.op('max_pool2d_backward', [grad, inputs[0]], attrs),
);
