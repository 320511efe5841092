import type { OpContext } from '../device.js';
import { type LinearOptions, linear } from '../ops/linear.js';
import type { Tensor } from '../tensor.js';
import type { ParameterSource, Weight } from './parameters.js';

/** A fully connected layer. */
export class Linear {
  constructor(
    readonly weight: Weight,
    readonly bias: Weight,
    readonly relu: boolean,
    /** See LinearOptions. */
    readonly float32 = false,
  ) {}

  /** `NAME.weight` [O, K], `NAME.bias` [O]. */
  static load(parameters: ParameterSource, name: string, { relu = false, float32 = false } = {}): Linear {
    const [weight, bias] = [parameters.weight(`${name}.weight`), parameters.weight(`${name}.bias`)];
    return new Linear(weight, bias, relu, float32);
  }

  forward(context: OpContext, x: Tensor, call: Pick<LinearOptions, 'accumulate' | 'count'> = {}): Tensor {
    const { relu, float32 } = this;
    const options = { bias: this.bias(context), relu, float32, ...call };
    return linear(context, x, this.weight(context), options);
  }
}
