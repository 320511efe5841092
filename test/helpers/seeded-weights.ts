/**
 * Seeded, non-trivial weights for whole networks, bit-identical to test/goldens/seeded.py. The recipe:
 *
 * - A tensor's values are uniform(nameSeed(name, seed), size, lo, hi) of random.ts, in row-major order.
 * - Convolutions and linear layers (two axes or more): hi = -lo = gain * sqrt(3 / fan-in), so that a gain of 1
 *   keeps the scale of the input and 1.4 makes up for a ReLU; the gain is that of the last matching prefix, first
 *   of GAINS, then of the case. Their biases: [-0.1, 0.1).
 * - Batch norms of the body: running_var [0.5, 1.5), running_mean [-0.1, 0.1), bias [-0.2, 0.2), weight [0.8, 1.2),
 *   or [0.1, 0.2) at the end of a residual branch, so that 152 layers do not explode. The first batch norm has
 *   running_var [0.002, 0.006) and weight [0.05, 0.07): a forgotten norm_eps then shows.
 * - `background` is added to class 0's logit: the rest of the RoIs must leave the threshold alone.
 */

import { hash32, uniform } from './random.js';

export interface SeededTensor {
  shape: number[];
  data: Float32Array;
}

/** What a case of test/cases/models.json says about its weights besides the seed. */
export interface WeightTuning {
  gains?: Record<string, number>;
  background?: number;
}

const BODY = 'backbone.body.';
const DEFAULT_GAIN = 1.4;
const GAINS: Record<string, number> = {
  'backbone.fpn.': 0.8,
  'rpn.head.cls_logits.': 0.6,
  'rpn.head.bbox_pred.': 0.12,
  'roi_heads.box_predictor.cls_score.': 1.5,
  'roi_heads.box_predictor.bbox_pred.': 0.5,
  'roi_heads.mask_predictor.mask_fcn_logits.': 1.0,
  'roi_heads.box_nl.': 1.0,
  'roi_heads.mask_nl.': 1.0,
  'roi_heads.box_nl.phi.': 0.3,
  'roi_heads.box_nl.psi.': 0.3,
  'roi_heads.mask_nl.phi.': 0.3,
  'roi_heads.mask_nl.psi.': 0.3,
};

/**
 * Weights for every name of `expected` (state-dict name to shape; `num_batches_tracked` is left out). About 0.1 s
 * for 10 million values.
 */
export function seededWeights(
  expected: Map<string, readonly number[]>,
  seed: number,
  tuning: WeightTuning = {},
): Map<string, SeededTensor> {
  const weights = new Map<string, SeededTensor>();
  for (const [name, shape] of expected) {
    if (name.endsWith('.num_batches_tracked')) continue;
    const [lo, hi] = bounds(name, shape, expected, tuning.gains ?? {});
    const data = uniform(nameSeed(name, seed), product(shape), lo, hi);
    if (name === 'roi_heads.box_predictor.cls_score.bias') data[0]! += Math.fround(tuning.background ?? 0);
    weights.set(name, { shape: [...shape], data });
  }
  return weights;
}

/** Seed of one tensor: h = hash32(seed), then h = hash32(h xor byte) over the UTF-8 bytes of its name. */
export function nameSeed(name: string, seed: number): number {
  let h = hash32(seed);
  for (const byte of Buffer.from(name)) h = hash32(h ^ byte);
  return h;
}

function bounds(
  name: string,
  shape: readonly number[],
  names: Map<string, readonly number[]>,
  gains: Record<string, number>,
): [number, number] {
  if (name.startsWith(BODY) && shape.length === 1) return normBounds(name, names);
  if (shape.length === 1) return [-0.1, 0.1];
  let gain = DEFAULT_GAIN;
  for (const [prefix, value] of [...Object.entries(GAINS), ...Object.entries(gains)]) {
    if (name.startsWith(prefix)) gain = value;
  }
  // A transposed convolution with stride = kernel reads each input channel once per output value.
  const fanIn = name.endsWith('.conv5_mask.weight') ? shape[0]! : product(shape.slice(1));
  const bound = gain * Math.sqrt(3 / fanIn);
  return [-bound, bound];
}

function normBounds(name: string, names: Map<string, readonly number[]>): [number, number] {
  const dot = name.lastIndexOf('.');
  const layer = name.slice(0, dot);
  const kind = name.slice(dot + 1);
  const stem = layer === `${BODY}bn1`;
  if (kind === 'running_var') return stem ? [0.002, 0.006] : [0.5, 1.5];
  if (kind === 'running_mean') return [-0.1, 0.1];
  if (kind === 'bias') return [-0.2, 0.2];
  if (stem) return [0.05, 0.07];
  const bottleneck = names.has(`${layer.slice(0, -1)}3.weight`);
  const last = layer.endsWith('.bn3') || (layer.endsWith('.bn2') && !bottleneck);
  return last ? [0.1, 0.2] : [0.8, 1.2];
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
