import type { NativeAttrs } from '../binding.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface NormBackwardOptions {
  /** What the norm gave, where a ReLU is behind it. */
  y?: Tensor | undefined;
  /** Whether the gradient of a residual is asked for: grad, behind the ReLU where there is one. */
  residual?: boolean;
}

export interface NormGradients {
  x: Tensor;
  weight: Tensor;
  bias: Tensor;
  residual?: Tensor | undefined;
}

/**
 * Gradients of `batchNorm`: grad, x float32 [N, C, H, W], weight [C], the op's second and third output: mean [C] and
 * inverse [C], 1 / sqrt(var + eps).
 */
export function batchNormBackward(
  context: OpContext,
  grad: Tensor,
  x: Tensor,
  weight: Tensor,
  statistics: { mean: Tensor; inverse: Tensor },
  options: NormBackwardOptions = {},
): NormGradients {
  return normBackward(context, 'batch_norm_backward', [grad, x, weight], statistics, options, {});
}

/** The native call of both norms. */
export function normBackward(
  context: OpContext,
  op: string,
  [grad, x, weight]: readonly [Tensor, Tensor, Tensor],
  { mean, inverse }: { mean: Tensor; inverse: Tensor },
  { y, residual = false }: NormBackwardOptions,
  attrs: NativeAttrs,
): NormGradients {
  const outputs = context.op(op, [grad, x, y, weight, mean, inverse], { ...attrs, residual });
  const [dx, dWeight, dBias, dResidual] = outputs as [Tensor, Tensor, Tensor, Tensor?];
  return { x: dx, weight: dWeight, bias: dBias, residual: dResidual };
}
