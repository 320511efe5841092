import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { denseRule } from './dense_gradients.js';

export interface LinearOptions {
  bias?: Tensor | undefined;
  /** [N, O], added before the ReLU. */
  accumulate?: Tensor | undefined;
  /** int32 [1]: how many leading rows are valid; the rest may be left unwritten. */
  count?: Tensor | undefined;
  relu?: boolean;
  /** The result in float32 where activations are kept in fewer bits. */
  float32?: boolean;
}

/** x float32 [N, K] or [N, C, H, W] with C·H·W = K, weight [O, K], bias [O] -> x Wᵀ + bias, [N, O]. */
export function linear(context: OpContext, x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { bias, accumulate, count, relu = false, float32 = false } = options;
  return single(context.op('linear', [x, weight, bias, accumulate, count], { relu, float32 }));
}

defineGradient('linear', denseRule('linear_backward', { residual: true }));
