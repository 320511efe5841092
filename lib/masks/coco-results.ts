import { checkFour, checkList, checkMask, checkObject } from '../arguments.js';
import { isPlaceholder } from '../datasets/classes.js';
import { invalidArgument } from '../errors.js';
import type { Detection, Segmentation } from '../model.js';
import { version } from '../version.js';
import { type Rle, rleArea } from './rle.js';

/** An entry of a COCO results file. */
export interface CocoResult {
  image_id: number | string;
  category_id: number;
  /** x, y, width, height */
  bbox: [number, number, number, number];
  score: number;
  segmentation?: Rle;
}

/** A detection as an annotation of a COCO data set. */
export interface CocoDetection extends CocoResult {
  id: number;
  /** Pixels of the mask; of the box where there is no mask. */
  area: number;
  iscrowd: 0;
}

/** A COCO data set of detections. */
export interface CocoDataset {
  info: { description: string; version: string };
  licenses: [];
  images: { id: number; file_name: string; width: number; height: number }[];
  categories: { id: number; name: string }[];
  annotations: CocoDetection[];
}

/** The result of one image, and how the data set names it. */
export interface NamedSegmentation {
  /** As `file_name`: the image's path below the folder of all images. */
  name: string;
  result: Segmentation;
}

/**
 * Detections as COCO results (an entry of the list each). `categoryOf` maps label ids to category ids, by default to themselves;
 * detections of labels that it gives undefined for are left out.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no result.
 */
export function toCocoResults(
  result: Segmentation,
  imageId: number | string,
  categoryOf: (labelId: number) => number | undefined = (labelId) => labelId,
): CocoResult[] {
  if (typeof categoryOf !== 'function') throw invalidArgument('a function', 'categoryOf', categoryOf);
  return detectionsOf(result).flatMap(({ labelId, score, box: [x1, y1, x2, y2], mask }) => {
    const category = categoryOf(labelId);
    if (category === undefined) return [];
    const bbox: CocoResult['bbox'] = [x1, y1, x2 - x1, y2 - y1];
    return [{ image_id: imageId, category_id: category, bbox, score, ...(mask && { segmentation: mask }) }];
  });
}

/**
 * The detections of several images as one COCO data set, which COCO's tools read like annotations; each annotation has its score.
 * Image ids are 1, 2, … in the order of `images`, category ids are label ids. `classNames` are those of the model
 * (`model.config.class_names`); by default the categories are the labels that were found.
 */
export function toCocoDataset(
  images: readonly NamedSegmentation[],
  classNames: readonly string[] = [],
): CocoDataset {
  checkList(classNames, 'names', 'classNames');
  for (const image of checkList(images, 'images', 'images')) {
    checkObject(checkObject(image, 'an object', 'an image').result, 'an object', 'result');
  }
  const annotations = images.flatMap(({ result }, i) => toCocoResults(result, i + 1));
  return {
    info: { description: 'Detections of nonlocal-rcnn', version },
    licenses: [],
    images: images.map(({ name, result: { width, height } }, i) => ({
      id: i + 1,
      file_name: name,
      width,
      height,
    })),
    categories: classNames.length > 0 ? namedCategories(classNames) : foundCategories(images),
    annotations: annotations.map((entry, i) => {
      const { bbox, segmentation } = entry;
      const area = segmentation ? rleArea(segmentation) : bbox[2] * bbox[3];
      return { id: i + 1, ...entry, area, iscrowd: 0 };
    }),
  };
}

function detectionsOf(result: Segmentation): readonly Detection[] {
  const { detections } = checkObject(result, 'a result of segment', 'the result');
  for (const detection of checkList(detections, 'detections', 'detections')) {
    checkFour(checkObject(detection, 'an object', 'a detection').box, 'box');
    if (detection.mask) checkMask(detection.mask, 'mask');
  }
  return detections;
}

function namedCategories(classNames: readonly string[]): CocoDataset['categories'] {
  return classNames.flatMap((name, id) => (id === 0 || isPlaceholder(name) ? [] : [{ id, name }]));
}

function foundCategories(images: readonly NamedSegmentation[]): CocoDataset['categories'] {
  const found = new Map<number, string>();
  for (const { result } of images) {
    for (const { labelId, label } of result.detections) found.set(labelId, label);
  }
  return [...found].map(([id, name]) => ({ id, name })).sort((a, b) => a.id - b.id);
}
