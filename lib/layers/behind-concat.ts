import type { OpContext } from '../device.js';
import { conv2d } from '../ops/conv2d.js';
import { linear } from '../ops/linear.js';
import { tapBias } from '../ops/tap_bias.js';
import type { Tensor } from '../tensor.js';
import type { ParameterSource, SplitWeight, Weight } from './parameters.js';

/**
 * A fully connected layer with ReLU behind the concat of x [K, D, H, W] and y [K, D_g] repeated at every place, without
 * the concat: W_x x + (W_y summed over the places) y.
 */
export class LinearBehindConcat {
  constructor(
    readonly weight: SplitWeight,
    readonly bias: Weight,
  ) {}

  /** `NAME.weight` [O, (channels + D_g) · places], `NAME.bias` [O]. */
  static load(
    parameters: ParameterSource,
    name: string,
    channels: number,
    places: number,
  ): LinearBehindConcat {
    const weight = parameters.splitLinear(`${name}.weight`, channels, places);
    return new LinearBehindConcat(weight, parameters.weight(`${name}.bias`));
  }

  forward(context: OpContext, x: Tensor, y: Tensor, count?: Tensor): Tensor {
    const weight = this.weight(context);
    const accumulate = linear(context, y, weight.y, { count });
    return linear(context, x, weight.x, { bias: this.bias(context), relu: true, accumulate, count });
  }
}

/**
 * A 3×3 convolution (padding 1) with ReLU behind such a concat: conv_x(x) and what y adds, which depends only on which
 * taps fall inside (op tap_bias).
 */
export class Conv2dBehindConcat {
  constructor(
    readonly weight: SplitWeight,
    readonly bias: Weight,
  ) {}

  /** `NAME.weight` [O, channels + D_g, 3, 3], `NAME.bias` [O]. */
  static load(parameters: ParameterSource, name: string, channels: number): Conv2dBehindConcat {
    const weight = parameters.splitConv(`${name}.weight`, channels);
    return new Conv2dBehindConcat(weight, parameters.weight(`${name}.bias`));
  }

  forward(context: OpContext, x: Tensor, y: Tensor, count?: Tensor): Tensor {
    const weight = this.weight(context);
    const [height, width] = x.shape.slice(2) as [number, number];
    const residual = tapBias(context, y, weight.y, { height, width, bias: this.bias(context), count });
    return conv2d(context, x, weight.x, { padding: [1, 1], relu: true, residual, count });
  }
}
