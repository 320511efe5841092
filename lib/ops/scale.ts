import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import { NlrcnnError } from '../errors.js';
import type { Tensor } from '../tensor.js';

/** x · by[0] · factor: x float32 of any shape, `by` float32 [1]. The gradient takes `by` for a constant. */
export function scale(context: OpContext, x: Tensor, by?: Tensor, factor = 1): Tensor {
  return single(context.op('scale', [x, by], { factor }));
}

defineGradient('scale', (context, { inputs, attrs, needs }, [grad]) => {
  if (needs[1]) {
    throw new NlrcnnError('ERR_NLRCNN_UNSUPPORTED', 'Expected a constant factor of scale but received one');
  }
  return [single(context.op('scale', [grad, inputs[1]], attrs)), null];
});
