import type { OpContext } from '../device.js';
import { batchNorm } from '../ops/batch_norm.js';
import { conv2d } from '../ops/conv2d.js';
import type { Tensor } from '../tensor.js';
import type { Conv2dCall, Conv2dSettings } from './conv.js';
import type { ConvNorm } from './parameters.js';

/** Parameters and running statistics of nn.BatchNorm2d, [C] each. */
export interface BatchNormTensors {
  gamma: Tensor;
  beta: Tensor;
  mean: Tensor;
  variance: Tensor;
}

/** A convolution without bias and batch norm in training: by the statistics of the batch, the running ones follow. */
export class BatchNormConv implements ConvNorm {
  constructor(
    readonly weight: Tensor,
    readonly norm: BatchNormTensors,
    readonly eps: number,
    readonly settings: Conv2dSettings,
  ) {}

  forward(context: OpContext, x: Tensor, { residual }: Pick<Conv2dCall, 'residual'> = {}): Tensor {
    const { relu, ...convolution } = this.settings;
    const { gamma, beta, mean, variance } = this.norm;
    return batchNorm(context, conv2d(context, x, this.weight, convolution), {
      weight: gamma,
      bias: beta,
      runningMean: mean,
      runningVar: variance,
      eps: this.eps,
      residual,
      relu,
    });
  }
}
