import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** The gradient of `scaleRows` with regard to scale: grad and weight float32 [O, …] -> [O]. */
export function scaleRowsBackward(context: OpContext, grad: Tensor, weight: Tensor): Tensor {
  return single(context.op('scale_rows_backward', [grad, weight]));
}
