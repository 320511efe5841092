import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { upsampleAddBackward } from './upsample_add_backward.js';

/** lateral + nearest(top): top float32 [N, C, h, w], lateral [N, C, H, W] -> [N, C, H, W] (FPN's top-down step). */
export function upsampleAdd(context: OpContext, top: Tensor, lateral: Tensor): Tensor {
  return single(context.op('upsample_add', [top, lateral]));
}

defineGradient('upsample_add', (context, { inputs, needs }, [grad]) => {
  const [height, width] = inputs[0]!.shape.slice(2) as [number, number];
  return [needs[0] ? upsampleAddBackward(context, grad!, [height, width]) : null, grad!];
});
