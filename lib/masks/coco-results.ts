import type { Segmentation } from '../model.js';
import type { Rle } from './rle.js';

/** An entry of a COCO results file. */
export interface CocoResult {
  image_id: number | string;
  category_id: number;
  /** x, y, width, height */
  bbox: [number, number, number, number];
  score: number;
  segmentation?: Rle;
}

/** Detections as COCO results; `categoryOf` maps label ids to category ids, by default to themselves. */
export function toCocoResults(
  { detections }: Segmentation,
  imageId: number | string,
  categoryOf: (labelId: number) => number = (labelId) => labelId,
): CocoResult[] {
  return detections.map(({ labelId, score, box: [x1, y1, x2, y2], mask }) => ({
    image_id: imageId,
    category_id: categoryOf(labelId),
    bbox: [x1, y1, x2 - x1, y2 - y1],
    score,
    ...(mask && { segmentation: mask }),
  }));
}
