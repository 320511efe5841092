import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { MaxPool2dOptions } from './max_pool2d.js';

/**
 * The gradient of `maxPool2d` (same x and options): grad float32 [N, C, H', W'] -> [N, C, H, W]. Of equal values in a
 * window the first has it, as in torch.
 */
export function maxPool2dBackward(
  context: OpContext,
  grad: Tensor,
  x: Tensor,
  { kernel, stride, padding = [0, 0] }: MaxPool2dOptions,
): Tensor {
  return single(context.op('max_pool2d_backward', [grad, x], { kernel, stride, padding }));
}
