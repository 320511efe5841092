import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { batchNormBackward } from './batch_norm_backward.js';

export interface NormOptions {
  /** float32 [C] */
  weight: Tensor;
  /** float32 [C] */
  bias: Tensor;
  eps?: number;
  /** Of the output's shape, added before the ReLU. */
  residual?: Tensor | undefined;
  relu?: boolean | undefined;
}

export interface BatchNormOptions extends NormOptions {
  /** float32 [C], updated in place: (1 - momentum) times what it was and momentum times the batch's. */
  runningMean?: Tensor | undefined;
  /** As runningMean, of the unbiased variance. */
  runningVar?: Tensor | undefined;
  momentum?: number;
}

/**
 * torch.nn.functional.batch_norm in training, with residual and ReLU fused: x float32 [N, C, H, W] -> [N, C, H, W].
 * Throws ERR_NLRCNN_SHAPE where a channel has one value, as torch does.
 */
export function batchNorm(context: OpContext, x: Tensor, options: BatchNormOptions): Tensor {
  const { weight, bias, runningMean, runningVar, residual } = options;
  const { eps = 1e-5, momentum = 0.1, relu = false } = options;
  const inputs = [x, weight, bias, runningMean, runningVar, residual];
  return context.op('batch_norm', inputs, { eps, momentum, relu })[0]!;
}

defineGradient('batch_norm', (context, { inputs, outputs, attrs, needs }, [grad]) => {
  if (!grad) return [];
  const [x, weight] = inputs;
  const [y, mean, inverse] = outputs as [Tensor, Tensor, Tensor];
  const masked = Boolean(attrs.relu && needs[5]);
  const statistics = { mean, inverse };
  const options = { y: attrs.relu ? y : undefined, residual: masked };
  const back = batchNormBackward(context, grad, x!, weight!, statistics, options);
  return [back.x, back.weight, back.bias, null, null, needs[5] ? (back.residual ?? grad) : null];
});
