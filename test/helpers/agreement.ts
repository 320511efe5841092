import { rleArea, rleIou } from '../../dist/masks/rle.js';
import type { Detection } from '../../dist/model.js';
import type { ExpectedDetection } from './model-cases.js';

export interface Agreement {
  /** Largest distance of a box's edge, in pixels. */
  box: number;
  score: number;
  /** Smallest IoU of a mask with its counterpart. */
  iou: number;
}

/** Differences after matching one to one in order of score, each with the nearest box left of its class. */
export function compareDetections(
  actual: readonly Detection[],
  expected: readonly ExpectedDetection[],
): Agreement {
  const left = new Set(actual);
  const worst: Agreement = { box: actual.length === expected.length ? 0 : Infinity, score: 0, iou: 1 };
  for (const wanted of expected) {
    const distance = (d: Detection) => Math.max(...d.box.map((v, i) => Math.abs(v - wanted.box[i]!)));
    const near = [...left]
      .filter((d) => d.labelId === wanted.labelId)
      .sort((a, b) => distance(a) - distance(b))[0];
    if (!near) return { box: Infinity, score: Infinity, iou: 0 };
    left.delete(near);
    worst.box = Math.max(worst.box, distance(near));
    worst.score = Math.max(worst.score, Math.abs(near.score - wanted.score));
    if (wanted.mask) {
      const bothEmpty = rleArea(near.mask!) + rleArea(wanted.mask) === 0;
      if (!bothEmpty) worst.iou = Math.min(worst.iou, rleIou([near.mask!], [wanted.mask]).get(0, 0));
    }
  }
  return worst;
}
