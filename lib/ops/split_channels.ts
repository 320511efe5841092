import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { splitChannelsBackward } from './split_channels_backward.js';

export interface SplitWeights {
  /** [O, at, …] */
  x: Tensor;
  /** [O, C - at, …] */
  y: Tensor;
}

/**
 * weight float32 [O, C, …] cut along its second axis: the weights of a layer behind a
 * concat (of a fully connected layer, `at` counts channels times places).
 */
export function splitChannels(context: OpContext, weight: Tensor, at: number): SplitWeights {
  const [x, y] = context.op('split_channels', [weight], { at }) as [Tensor, Tensor];
  return { x, y };
}

defineGradient('split_channels', (context, { inputs }, [left, right]) => [
  splitChannelsBackward(context, left, right, inputs[0]!.shape[1]!),
]);
