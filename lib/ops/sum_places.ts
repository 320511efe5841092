import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import { sumPlacesBackward } from './sum_places_backward.js';

/**
 * weight float32 [O, C · places] -> [O, C], each channel's sum over its places: what a fully connected layer does to
 * features that are the same at each place.
 */
export function sumPlaces(context: OpContext, weight: Tensor, places: number): Tensor {
  return single(context.op('sum_places', [weight], { places }));
}

defineGradient('sum_places', (context, { attrs }, [grad]) => [
  sumPlacesBackward(context, grad!, attrs.places as number),
]);
