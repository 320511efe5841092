import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** lateral + nearest(top): top float32 [N, C, h, w], lateral [N, C, H, W] -> [N, C, H, W] (FPN's top-down step). */
export function upsampleAdd(context: OpContext, top: Tensor, lateral: Tensor): Tensor {
  return single(context.op('upsample_add', [top, lateral]));
}
