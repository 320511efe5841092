import type { OpContext } from '../device.js';
import { type ConvTranspose2dOptions, convTranspose2d } from '../ops/conv_transpose2d.js';
import { type Conv2dOptions, conv2d } from '../ops/conv2d.js';
import type { Tensor } from '../tensor.js';
import type { Parameters } from './parameters.js';

export type Conv2dSettings = Pick<Conv2dOptions, 'stride' | 'padding' | 'dilation' | 'groups' | 'relu'>;
export type Conv2dCall = Pick<Conv2dOptions, 'residual' | 'count'>;

/** A convolution with its weights on the device. */
export class Conv2d {
  constructor(
    readonly weight: Tensor,
    readonly bias: Tensor | undefined,
    readonly settings: Conv2dSettings,
  ) {}

  /** `NAME.weight` [O, C, kh, kw] and, where there is one, `NAME.bias` [O]. */
  static load(parameters: Parameters, name: string, settings: Conv2dSettings = {}): Conv2d {
    const bias = parameters.has(`${name}.bias`) ? parameters.place(`${name}.bias`) : undefined;
    return new Conv2d(parameters.place(`${name}.weight`), bias, settings);
  }

  /**
   * Convolution `conv` without bias, then batch norm `norm` with its running statistics, as one: weight times
   * gamma / sqrt(var + eps), bias beta - mean times the same.
   */
  static loadFolded(
    parameters: Parameters,
    conv: string,
    norm: string,
    eps: number,
    settings: Conv2dSettings,
  ): Conv2d {
    const { data, shape } = parameters.take(`${conv}.weight`);
    const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
      (part) => parameters.take(`${norm}.${part}`).data,
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const outputs = shape[0]!;
    const each = data.length / outputs;
    const weight = new Float32Array(data.length);
    const bias = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      const scale = gamma[o]! / Math.sqrt(variance[o]! + eps);
      bias[o] = beta[o]! - mean[o]! * scale;
      for (let i = o * each; i < (o + 1) * each; i++) weight[i] = data[i]! * scale;
    }
    return new Conv2d(parameters.upload(weight, shape), parameters.upload(bias, [outputs]), settings);
  }

  forward(context: OpContext, x: Tensor, call: Conv2dCall = {}): Tensor {
    return conv2d(context, x, this.weight, { bias: this.bias, ...this.settings, ...call });
  }
}

/** A 2×2 transposed convolution with stride 2. */
export class ConvTranspose2d {
  constructor(
    readonly weight: Tensor,
    readonly bias: Tensor,
    readonly relu: boolean,
  ) {}

  /** `NAME.weight` [C, O, 2, 2], `NAME.bias` [O]. */
  static load(parameters: Parameters, name: string, relu: boolean): ConvTranspose2d {
    return new ConvTranspose2d(parameters.place(`${name}.weight`), parameters.place(`${name}.bias`), relu);
  }

  forward(context: OpContext, x: Tensor, call: Pick<ConvTranspose2dOptions, 'count'> = {}): Tensor {
    return convTranspose2d(context, x, this.weight, { bias: this.bias, relu: this.relu, ...call });
  }
}
