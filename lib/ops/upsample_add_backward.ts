import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

/** The gradient of `upsampleAdd` with regard to top: grad float32 [N, C, H, W] -> [N, C, h, w], `size` h and w. */
export function upsampleAddBackward(context: OpContext, grad: Tensor, size: Pair): Tensor {
  return single(context.op('upsample_add_backward', [grad], { size }));
}
