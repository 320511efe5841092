import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface TapBiasGradients {
  y: Tensor;
  weight: Tensor;
  bias: Tensor;
}

/**
 * Gradients of `tapBias` (same y, weight and count): grad float32 [K, O, height, width] -> those of y [K, D] (zero
 * beyond `count`), weight [O, D, 3, 3] and bias [O].
 */
export function tapBiasBackward(
  context: OpContext,
  grad: Tensor,
  y: Tensor,
  weight: Tensor,
  count?: Tensor,
): TapBiasGradients {
  const [dy, dWeight, dBias] = context.op('tap_bias_backward', [grad, y, weight, count]) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  return { y: dy, weight: dWeight, bias: dBias };
}
