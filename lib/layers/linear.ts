import type { OpContext } from '../device.js';
import { type LinearOptions, linear } from '../ops/linear.js';
import type { Tensor } from '../tensor.js';
import type { Parameters } from './parameters.js';

/** A fully connected layer with its weights on the device. */
export class Linear {
  constructor(
    readonly weight: Tensor,
    readonly bias: Tensor,
    readonly relu: boolean,
  ) {}

  /** `NAME.weight` [O, K], `NAME.bias` [O]. */
  static load(parameters: Parameters, name: string, relu = false): Linear {
    return new Linear(parameters.place(`${name}.weight`), parameters.place(`${name}.bias`), relu);
  }

  forward(context: OpContext, x: Tensor, call: Pick<LinearOptions, 'accumulate' | 'count'> = {}): Tensor {
    return linear(context, x, this.weight, { bias: this.bias, relu: this.relu, ...call });
  }
}
