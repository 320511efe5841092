import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** Lists of one length, float32; `parameters` and state are written in place. */
export interface SgdTensors {
  parameters: readonly Tensor[];
  gradients: readonly Tensor[];
  /** Zero before the first step; needed where momentum is above 0. */
  momentumBuffers?: readonly Tensor[];
}

export interface SgdOptions {
  lr: number;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  /** float32 [3] of `gradNorm`: what to multiply gradients by, and whether to write anything. */
  control?: Tensor | undefined;
}

/** A step of torch.optim.SGD, all tensors at once -> int32 [1]: 1 where it was applied, 0 where control said not to. */
export function sgd(context: OpContext, tensors: SgdTensors, options: SgdOptions): Tensor {
  const { lr, momentum = 0, nesterov = false, weightDecay = 0, control } = options;
  const { parameters, gradients, momentumBuffers = [] } = tensors;
  const state = momentum > 0 ? momentumBuffers : [];
  return single(
    context.op('sgd', [control, ...parameters, ...gradients, ...state], {
      lr,
      momentum,
      nesterov,
      weight_decay: weightDecay,
    }),
  );
}
