import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

/** State of a dynamic loss scale, written in place as torch.amp.GradScaler does. */
export interface LossScaleState {
  /** float32 [1]: what losses were multiplied by. */
  scale: Tensor;
  /** int32 [1]: steps without overflow since it last changed. */
  goodSteps: Tensor;
  growthFactor?: number;
  backoffFactor?: number;
  growthInterval?: number;
}

export interface GradNormOptions {
  /** As torch.nn.utils.clip_grad_norm_'s; absent or 0: no clipping. */
  maxNorm?: number | undefined;
  /** What gradients are multiplied by besides, such as 1 / accumulated batches. */
  factor?: number;
  lossScale?: LossScaleState | undefined;
}

/**
 * In one pass over the gradients (float32): their norm, what clipping and the loss scale multiply them by, and whether
 * all are finite -> control float32 [3]: norm, factor, 1 or 0. The optimisers take it; gradients stay as they are.
 */
export function gradNorm(
  context: OpContext,
  gradients: readonly Tensor[],
  { maxNorm = 0, factor = 1, lossScale }: GradNormOptions = {},
): Tensor {
  return single(
    context.op('grad_norm', [lossScale?.scale, lossScale?.goodSteps, ...gradients], {
      max_norm: maxNorm,
      factor,
      growth_factor: lossScale?.growthFactor ?? 2,
      backoff_factor: lossScale?.backoffFactor ?? 0.5,
      growth_interval: lossScale?.growthInterval ?? 2000,
    }),
  );
}
