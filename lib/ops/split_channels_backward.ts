import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/**
 * The gradient of `splitChannels`: left float32 [O, a, …] and right [O, b, …] side by side, [O, a + b, …]; zeros stand
 * for one that is absent, `channels` is a + b.
 */
export function splitChannelsBackward(
  context: OpContext,
  left: Tensor | null | undefined,
  right: Tensor | null | undefined,
  channels: number,
): Tensor {
  return single(context.op('split_channels_backward', [left, right], { channels }));
}
