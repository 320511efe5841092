import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { tapBiasBackward } from './tap_bias_backward.js';

export interface TapBiasOptions {
  height: number;
  width: number;
  bias?: Tensor | undefined;
  /** int32 [1]: how many leading rows are valid; the rest may be left unwritten. */
  count?: Tensor | undefined;
}

/**
 * What a 3×3 convolution (padding 1) makes of y repeated at every place: y float32 [K, D], weight [O, D, 3, 3],
 * bias [O] -> [K, O, height, width].
 */
export function tapBias(context: OpContext, y: Tensor, weight: Tensor, options: TapBiasOptions): Tensor {
  const { height, width, bias, count } = options;
  return single(context.op('tap_bias', [y, weight, bias, count], { height, width }));
}

defineGradient('tap_bias', (context, { inputs }, [grad]) => {
  const [y, weight, , count] = inputs;
  const { y: dy, weight: dWeight, bias } = tapBiasBackward(context, grad!, y!, weight!, count ?? undefined);
  return [dy, dWeight, bias, null];
});
