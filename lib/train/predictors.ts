import { type ClassMatch, matchClasses } from '../datasets/classes.js';
import type { HostParameter } from '../layers/parameters.js';

/** Layers with rows of their own for each class, and how many. */
const ROWS: readonly [RegExp, number][] = [
  [/^roi_heads\.box_predictor\.cls_score\./, 1],
  [/^roi_heads\.box_predictor\.bbox_pred\./, 4],
  [/^roi_heads\.mask_predictor\.mask_fcn_logits\./, 1],
];

/** Classes of given weights and of a model, matched by name. */
export interface PredictorClasses extends ClassMatch {
  /** [the model's labels]: the label in the given weights; 0 for the background, -1: none. */
  labels: number[];
  /** Number of labels of the given weights. */
  given: number;
}

/** Undefined where either side does not name its classes. Both lists begin with the background. */
export function matchPredictors(
  given: readonly string[],
  model: readonly string[],
): PredictorClasses | undefined {
  if (given.length === 0 || model.length === 0) return undefined;
  const match = matchClasses(
    { owner: 'the model', names: model.slice(1) },
    { owner: 'the given weights', names: given.slice(1) },
  );
  return { ...match, labels: [0, ...match.places.map((place) => place + 1 || -1)], given: given.length };
}

/** Rows of a class in tensor `name`; 0 where the tensor does not depend on classes. */
export const rowsOfClass = (name: string): number => ROWS.find(([layer]) => layer.test(name))?.[1] ?? 0;

/**
 * A tensor of a predictor with the rows that `own` has for classes of the same names and those of `fresh` for the others; undefined
 * where no class is known to `own` or it does not fit.
 */
export function takeRows(
  rows: number,
  own: HostParameter,
  fresh: HostParameter,
  { labels, given }: PredictorClasses,
): HostParameter | undefined {
  const fits =
    own.shape[0] === rows * given &&
    fresh.shape[0] === rows * labels.length &&
    own.shape.slice(1).join() === fresh.shape.slice(1).join();
  if (!fits || labels.every((label) => label <= 0)) return undefined;
  if (given === labels.length && labels.every((label, i) => label === i)) return own;
  const size = fresh.data.length / labels.length;
  const data = Float32Array.from(fresh.data);
  for (const [label, from] of labels.entries()) {
    if (from >= 0) data.set(own.data.subarray(from * size, (from + 1) * size), label * size);
  }
  return { shape: fresh.shape, data };
}
