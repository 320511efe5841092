import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { denseRule } from './dense_gradients.js';

export interface ConvTranspose2dOptions {
  bias?: Tensor | undefined;
  /** int32 [1]: how many leading images are valid; the rest may be left unwritten. */
  count?: Tensor | undefined;
  relu?: boolean;
}

/**
 * torch.nn.functional.conv_transpose2d with kernel 2 and stride 2: x float32 [N, C, H, W], weight [C, O, 2, 2],
 * bias [O] -> [N, O, 2H, 2W].
 */
export function convTranspose2d(
  context: OpContext,
  x: Tensor,
  weight: Tensor,
  { bias, count, relu = false }: ConvTranspose2dOptions = {},
): Tensor {
  return single(context.op('conv_transpose2d', [x, weight, bias, count], { relu }));
}

defineGradient('conv_transpose2d', denseRule('conv_transpose2d_backward', { residual: false }));
