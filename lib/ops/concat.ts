import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** torch.cat along the first axis: float32 [n, …] of one shape but for n -> [sum of n, …]. */
export function concat(context: OpContext, inputs: readonly Tensor[]): Tensor {
  return single(context.op('concat', inputs));
}
