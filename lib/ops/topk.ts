import { stopGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';

/** values float32 [N] -> the min(k, N) largest, falling, and their indices (int32); equal values by index. */
export function topk(context: OpContext, values: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const [top, indices] = context.op('topk', [values], { k }) as [Tensor, Tensor];
  return { values: top, indices };
}

stopGradient('topk');
