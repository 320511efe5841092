import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { type NonLocalRoiOptions, type NonLocalRoiWeights, nonLocalRoiCall } from './non_local_roi.js';

interface PairGradient {
  weight: Tensor;
  bias: Tensor;
}

/** Gradients of the shapes of what they belong to; empty ([0]) for weights that the form does not have. */
export interface NonLocalRoiGradients {
  x: Tensor;
  phi: PairGradient;
  psi: PairGradient;
  g1x1: PairGradient;
  g3x3: PairGradient;
  wF: Tensor;
}

/**
 * Gradients of `nonLocalRoi` (same x, weights and options): gradY float32 [K, D_g] -> those of x and of all weights.
 * The attention is computed anew; with a softmax ψ's bias has gradient zero.
 */
export function nonLocalRoiBackward(
  context: OpContext,
  gradY: Tensor,
  x: Tensor,
  weights: NonLocalRoiWeights,
  options: NonLocalRoiOptions = {},
): NonLocalRoiGradients {
  const { inputs, attrs } = nonLocalRoiCall(x, weights, options);
  const [dx, ...parts] = context.op('non_local_roi_backward', [gradY, ...inputs], attrs) as [
    Tensor,
    ...Tensor[],
  ];
  const pair = (i: number): PairGradient => ({ weight: parts[i]!, bias: parts[i + 1]! });
  return { x: dx, phi: pair(0), psi: pair(2), g1x1: pair(4), g3x3: pair(6), wF: parts[8]! };
}
