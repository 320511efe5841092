import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** Lists of one length, float32; all but `gradients` are written in place. */
export interface AdamWTensors {
  parameters: readonly Tensor[];
  gradients: readonly Tensor[];
  /** Zero before the first step. */
  expAvg: readonly Tensor[];
  expAvgSq: readonly Tensor[];
  /** int32 [1]: steps taken before. */
  step: Tensor;
}

export interface AdamWOptions {
  lr: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** float32 [3] of `gradNorm`: what to multiply gradients by, and whether to write anything. */
  control?: Tensor | undefined;
}

/** A step of torch.optim.AdamW, all tensors at once -> int32 [1]: 1 where it was applied, 0 where control said not to. */
export function adamw(context: OpContext, tensors: AdamWTensors, options: AdamWOptions): Tensor {
  const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01, control } = options;
  const { parameters, gradients, expAvg, expAvgSq, step } = tensors;
  return single(
    context.op('adamw', [control, step, ...parameters, ...gradients, ...expAvg, ...expAvgSq], {
      lr,
      beta1: betas[0],
      beta2: betas[1],
      eps,
      weight_decay: weightDecay,
    }),
  );
}
