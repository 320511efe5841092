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
    /** See LinearOptions. */
    readonly float32 = false,
  ) {}

  /** `NAME.weight` [O, K], `NAME.bias` [O]. */
  static load(parameters: Parameters, name: string, { relu = false, float32 = false } = {}): Linear {
    const [weight, bias] = [parameters.place(`${name}.weight`), parameters.place(`${name}.bias`)];
    return new Linear(weight, bias, relu, float32);
  }

  forward(context: OpContext, x: Tensor, call: Pick<LinearOptions, 'accumulate' | 'count'> = {}): Tensor {
    const { bias, relu, float32 } = this;
    return linear(context, x, this.weight, { bias, relu, float32, ...call });
  }
}
