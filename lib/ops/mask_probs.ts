import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface MaskProbsOptions {
  weight: Tensor;
  bias: Tensor;
  /** int32 [D]: the class whose channel each RoI needs. */
  labels: Tensor;
  /** int32 [1]: how many leading RoIs are valid; the rest may be left unwritten. */
  count?: Tensor | undefined;
}

/**
 * The mask predictor's last 1×1 convolution and sigmoid, of each RoI's own class only: x float32 [D, C', H, W],
 * weight [C, C', 1, 1], bias [C] -> [D, H, W].
 */
export function maskProbs(context: OpContext, x: Tensor, options: MaskProbsOptions): Tensor {
  const { weight, bias, labels, count } = options;
  return single(context.op('mask_probs', [x, weight, bias, labels, count]));
}

stopGradient('mask_probs');
