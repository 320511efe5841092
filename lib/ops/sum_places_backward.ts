import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** The gradient of `sumPlaces`: grad float32 [O, C] repeated at each place, [O, C · places]. */
export function sumPlacesBackward(context: OpContext, grad: Tensor, places: number): Tensor {
  return single(context.op('sum_places_backward', [grad], { places }));
}
