import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** The gradient of `addBroadcast` with regard to v: grad float32 [K, D, H, W] -> [K, D], zero beyond `count`. */
export function addBroadcastBackward(context: OpContext, grad: Tensor, count?: Tensor): Tensor {
  return single(context.op('add_broadcast_backward', [grad, count]));
}
