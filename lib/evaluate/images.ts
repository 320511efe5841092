import type { Sample } from '../datasets/dataset.js';
import { NlrcnnError } from '../errors.js';
import { rleArea } from '../masks/rle.js';
import type { Detection, Segmentation } from '../model.js';
import { type CityscapesPicture, evaluateCityscapes } from './cityscapes.js';
import { COCO_STATS, type CocoPicture, evaluateCoco } from './coco.js';
import { evaluateStardist } from './stardist.js';

/** A picture of a data set and what a network found in it. */
export interface EvaluatedPicture {
  sample: Sample;
  result: Segmentation;
}

export const METRICS = ['coco', 'stardist', 'cityscapes'] as const;
export type Metric = (typeof METRICS)[number];

export interface EvaluatePicturesOptions {
  metrics: readonly Metric[];
  /** What COCO's numbers are of. */
  kinds: readonly ('segm' | 'bbox')[];
  /** Detections above this count for the StarDist metric. */
  score: number;
}

/**
 * Numbers by name: `segm_AP`, `bbox_AR100`, … as pycocotools gives them, `stardist_0.50` … `stardist_0.90`,
 * `cityscapes_AP` and `cityscapes_AP50`. Only objects and detections of `labels` count: of the classes that the data set has.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where picture and annotations differ in size.
 */
export function evaluatePictures(
  pictures: readonly EvaluatedPicture[],
  labels: readonly number[],
  { metrics, kinds, score }: EvaluatePicturesOptions,
): Record<string, number> {
  for (const { sample, result } of pictures) {
    if (sample.width === result.width && sample.height === result.height) continue;
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected ${sample.name} of ${sample.width}×${sample.height} pixels but received ${result.width}×${result.height}`,
    );
  }
  const numbers: Record<string, number> = {};
  if (metrics.includes('coco')) {
    for (const kind of kinds) {
      const { stats } = evaluateCoco(
        pictures.map((picture) => cocoPicture(picture, kind)),
        labels,
        kind,
      );
      for (const [i, name] of COCO_STATS.entries()) numbers[`${kind}_${name}`] = stats[i]!;
    }
  }
  if (metrics.includes('stardist')) {
    const scored = new Set(labels);
    const found = evaluateStardist(
      pictures.map(({ sample: { height, width, instances }, result }) => ({
        height,
        width,
        truths: instances.filter(({ crowd, label }) => !crowd && scored.has(label)).map(({ mask }) => mask),
        found: result.detections.flatMap(({ mask, score, labelId }) =>
          mask && scored.has(labelId) ? [{ mask, score }] : [],
        ),
      })),
      score,
    );
    for (const [iou, value] of Object.entries(found)) numbers[`stardist_${iou}`] = value;
  }
  if (metrics.includes('cityscapes')) {
    const { AP, AP50 } = evaluateCityscapes(pictures.map(cityscapesPicture), labels);
    numbers.cityscapes_AP = AP;
    numbers.cityscapes_AP50 = AP50;
  }
  return numbers;
}

function cityscapesPicture({ sample, result }: EvaluatedPicture): CityscapesPicture {
  return {
    truths: sample.instances.map(({ label, mask, crowd }) => ({ category: label, mask, group: crowd })),
    found: result.detections.flatMap(({ labelId, score, mask }) =>
      mask ? [{ category: labelId, score, mask }] : [],
    ),
    ignored: sample.ignored,
  };
}

function cocoPicture({ sample, result }: EvaluatedPicture, kind: 'segm' | 'bbox'): CocoPicture {
  const bbox = ([x1, y1, x2, y2]: Detection['box']) => [x1, y1, x2 - x1, y2 - y1];
  return {
    truths: sample.instances.map(({ label, box, area, crowd, mask }) => ({
      category: label,
      bbox: bbox(box),
      area,
      crowd,
      mask,
    })),
    found: result.detections.map(({ labelId, score, box, mask }) => ({
      category: labelId,
      score,
      bbox: bbox(box),
      area: kind === 'segm' && mask ? rleArea(mask) : (box[2] - box[0]) * (box[3] - box[1]),
      mask,
    })),
  };
}
