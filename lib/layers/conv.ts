import type { OpContext } from '../device.js';
import { type ConvTranspose2dOptions, convTranspose2d } from '../ops/conv_transpose2d.js';
import { type Conv2dOptions, conv2d } from '../ops/conv2d.js';
import type { Tensor } from '../tensor.js';
import type { ParameterSource, Weight } from './parameters.js';

export type Conv2dSettings = Pick<Conv2dOptions, 'stride' | 'padding' | 'dilation' | 'groups' | 'relu'>;
export type Conv2dCall = Pick<Conv2dOptions, 'residual' | 'count'>;

export class Conv2d {
  constructor(
    readonly weight: Weight,
    readonly bias: Weight | undefined,
    readonly settings: Conv2dSettings,
  ) {}

  /** `NAME.weight` [O, C, kh, kw] and, where there is one, `NAME.bias` [O]. */
  static load(parameters: ParameterSource, name: string, settings: Conv2dSettings = {}): Conv2d {
    const bias = parameters.has(`${name}.bias`) ? parameters.weight(`${name}.bias`) : undefined;
    return new Conv2d(parameters.weight(`${name}.weight`), bias, settings);
  }

  forward(context: OpContext, x: Tensor, call: Conv2dCall = {}): Tensor {
    const options = { bias: this.bias?.(context), ...this.settings, ...call };
    return conv2d(context, x, this.weight(context), options);
  }
}

/** A 2×2 transposed convolution with stride 2. */
export class ConvTranspose2d {
  constructor(
    readonly weight: Weight,
    readonly bias: Weight,
    readonly relu: boolean,
  ) {}

  /** `NAME.weight` [C, O, 2, 2], `NAME.bias` [O]. */
  static load(parameters: ParameterSource, name: string, relu: boolean): ConvTranspose2d {
    return new ConvTranspose2d(parameters.weight(`${name}.weight`), parameters.weight(`${name}.bias`), relu);
  }

  forward(context: OpContext, x: Tensor, call: Pick<ConvTranspose2dOptions, 'count'> = {}): Tensor {
    const options = { bias: this.bias(context), relu: this.relu, ...call };
    return convTranspose2d(context, x, this.weight(context), options);
  }
}
