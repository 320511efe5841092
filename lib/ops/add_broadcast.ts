import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { addBroadcastBackward } from './add_broadcast_backward.js';

/** x float32 [K, D, H, W] + v [K, D] at every place; rows beyond `count` (int32 [1]) may be left unwritten. */
export function addBroadcast(context: OpContext, x: Tensor, v: Tensor, count?: Tensor): Tensor {
  return single(context.op('add_broadcast', [x, v, count]));
}

defineGradient('add_broadcast', (context, { inputs, needs }, [grad]) => [
  grad!,
  needs[1] ? addBroadcastBackward(context, grad!, inputs[2] ?? undefined) : null,
  null,
]);
