import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { denseRule } from './dense_gradients.js';

export type Pair = readonly [number, number];

export interface Conv2dOptions {
  bias?: Tensor | undefined;
  /** Of the output's shape, added before the ReLU. */
  residual?: Tensor | undefined;
  /** int32 [1]: how many leading images are valid; the rest may be left unwritten. */
  count?: Tensor | undefined;
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
  relu?: boolean;
}

/**
 * torch.nn.functional.conv2d, with residual and ReLU fused: x float32 [N, C, H, W], weight [O, C / groups, kh, kw],
 * bias [O] -> [N, O, H', W'].
 */
export function conv2d(context: OpContext, x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias, residual, count, stride = [1, 1], padding = [0, 0], dilation = [1, 1] } = options;
  const { groups = 1, relu = false } = options;
  const attrs = { stride, padding, dilation, groups, relu };
  return single(context.op('conv2d', [x, weight, bias, residual, count], attrs));
}

defineGradient('conv2d', denseRule('conv2d_backward', { residual: true }));
