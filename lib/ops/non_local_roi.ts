import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

export type Pairwise = 'embedded_gaussian' | 'gaussian' | 'dot_product' | 'concatenation';
export type AttentionScale = 'none' | 'rsqrt';

/** 1×1 and 3×3 convolutions with bias; `phi` and `psi` are absent for `gaussian`, `wF` is for `concatenation`. */
export interface NonLocalRoiWeights {
  phi?: { weight: Tensor; bias: Tensor } | undefined;
  psi?: { weight: Tensor; bias: Tensor } | undefined;
  g1x1: { weight: Tensor; bias: Tensor };
  g3x3: { weight: Tensor; bias: Tensor };
  /** float32 [1, 2·D_f·H·W] */
  wF?: Tensor | undefined;
}

export interface NonLocalRoiOptions {
  pairwise?: Pairwise;
  scale?: AttentionScale;
  numHeads?: number;
  /** int32 [S]: RoIs of each image; absent: all of one image. */
  segments?: Tensor | undefined;
  /**
   * Where given, segment s holds rows s · rowsPerSegment to s · rowsPerSegment + segments[s], and attention is one
   * product for each image; else segments lie side by side.
   */
  rowsPerSegment?: number | undefined;
}

/** Inputs and settings of the native call, for the op and its gradient. */
export function nonLocalRoiCall(x: Tensor, weights: NonLocalRoiWeights, options: NonLocalRoiOptions) {
  const { phi, psi, g1x1, g3x3, wF } = weights;
  const {
    pairwise = 'embedded_gaussian',
    scale = 'none',
    numHeads = 1,
    segments,
    rowsPerSegment = 0,
  } = options;
  const embeddings = [phi?.weight, phi?.bias, psi?.weight, psi?.bias];
  const values = [g1x1.weight, g1x1.bias, g3x3.weight, g3x3.bias];
  const attrs = { pairwise, scale, num_heads: numHeads, rows_per_segment: rowsPerSegment };
  return { inputs: [x, ...embeddings, ...values, wF, segments], attrs };
}

/**
 * The Non-local RoI block (arXiv 1807.05361): x float32 [K, D, H, W] -> y [K, D_g], what each RoI gathers from the
 * others of its image; rows beyond the segments are zero.
 */
export function nonLocalRoi(
  context: OpContext,
  x: Tensor,
  weights: NonLocalRoiWeights,
  options: NonLocalRoiOptions = {},
): Tensor {
  const { inputs, attrs } = nonLocalRoiCall(x, weights, options);
  return single(context.op('non_local_roi', inputs, attrs));
}

defineGradient('non_local_roi', (context, { inputs, attrs }, [grad]) => [
  ...context.op('non_local_roi_backward', [grad, ...inputs], attrs),
  null,
]);
