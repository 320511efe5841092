import { allocate } from '../allocate.js';
import { checkList, checkNumber, checkObject, checkSides } from '../arguments.js';
import { invalidArgument } from '../errors.js';
import { checkSize, decodeRle, type Rle } from '../masks/rle.js';

/** IoUs at which the metric is given, as keys: "0.50" … "0.90". */
export const STARDIST_IOUS = Array.from({ length: 9 }, (_, i) => (0.5 + 0.05 * i).toFixed(2));
/** What is left of a detection below this many pixels is dropped. */
const LEAST_PIXELS = 10;

/** One picture: the masks that there are, and those found with their scores. */
export interface StardistPicture {
  height: number;
  width: number;
  truths: readonly Rle[];
  found: readonly { mask: Rle; score: number }[];
}

/**
 * The metric of the 2018 Data Science Bowl and of StarDist's tables: TP / (TP + FP + FN) by IoU, summed over all pictures.
 * Detections above `score` become a label map by falling score: a pixel stays with the first, pieces below 10
 * pixels are dropped. Truth and detection are matched one to one.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what are no such pictures, ERR_NLRCNN_SHAPE for a mask of another size than its
 * picture.
 */
export function evaluateStardist(pictures: Iterable<StardistPicture>, score = 0.5): Record<string, number> {
  checkNumber(score, 'score');
  if (
    ArrayBuffer.isView(pictures) ||
    typeof (pictures as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function'
  ) {
    throw invalidArgument('pictures', 'pictures', pictures);
  }
  const totals = STARDIST_IOUS.map(() => ({ hits: 0, found: 0, truths: 0 }));
  for (const picture of pictures) {
    checkPicture(picture);
    const { height, width, truths, found } = picture;
    const truth = labelMap(truths, height * width, 1);
    const kept = found.filter((one) => one.score > score).toSorted((a, b) => b.score - a.score);
    const prediction = labelMap(
      kept.map(({ mask }) => mask),
      height * width,
      LEAST_PIXELS,
    );
    const pairs = overlaps(truth, prediction);
    for (const [i, iou] of STARDIST_IOUS.entries()) {
      totals[i]!.hits += countMatches(pairs, Number(iou));
      totals[i]!.found += prediction.sizes.length - 1;
      totals[i]!.truths += truth.sizes.length - 1;
    }
  }
  const entries = totals.map(({ hits, found, truths }, i): [string, number] => [
    STARDIST_IOUS[i]!,
    hits / (found + truths - hits || 1),
  ]);
  return Object.fromEntries(entries);
}

function checkPicture(picture: StardistPicture): void {
  const { height, width, truths, found } = checkObject(picture, 'an object', 'a picture');
  checkSides(height, width);
  for (const mask of checkList(truths, 'masks', 'truths')) checkSize(mask, [height, width]);
  for (const one of checkList(found, 'detections', 'found')) {
    checkNumber(checkObject(one, 'an object', 'a detection').score, 'score');
    checkSize(one.mask, [height, width]);
  }
}

/** Labels from 1, and how many pixels each has (those of label 0 are not counted). */
interface LabelMap {
  labels: Uint32Array;
  sizes: number[];
}

function labelMap(masks: readonly Rle[], pixels: number, least: number): LabelMap {
  const labels = allocate(Uint32Array, pixels, 'a label map');
  const sizes = [0];
  for (const mask of masks) {
    const { data } = decodeRle(mask);
    let free = 0;
    for (let i = 0; i < pixels; i++) free += Number(data[i] !== 0 && labels[i] === 0);
    if (free < least) continue;
    for (let i = 0; i < pixels; i++) if (data[i] && !labels[i]) labels[i] = sizes.length;
    sizes.push(free);
  }
  return { labels, sizes };
}

interface Overlap {
  truth: number;
  found: number;
  iou: number;
}

function overlaps(truth: LabelMap, found: LabelMap): Overlap[] {
  const common = new Map<number, number>();
  for (let i = 0; i < truth.labels.length; i++) {
    const [a, b] = [truth.labels[i]!, found.labels[i]!];
    if (a === 0 || b === 0) continue;
    const key = a * found.sizes.length + b;
    common.set(key, (common.get(key) ?? 0) + 1);
  }
  return [...common].map(([key, pixels]) => {
    const [a, b] = [Math.floor(key / found.sizes.length), key % found.sizes.length];
    return { truth: a, found: b, iou: pixels / (truth.sizes[a]! + found.sizes[b]! - pixels) };
  });
}

/** The most pairs of at least this IoU with each label once: labels are apart, so that only at .50 there is a choice. */
function countMatches(pairs: readonly Overlap[], threshold: number): number {
  const choices = new Map<number, number[]>();
  for (const { truth, found, iou } of pairs) {
    if (iou >= threshold) choices.set(truth, [...(choices.get(truth) ?? []), found]);
  }
  const owner = new Map<number, number>();
  const place = (truth: number, seen: Set<number>): boolean =>
    (choices.get(truth) ?? []).some((found) => {
      if (seen.has(found)) return false;
      seen.add(found);
      const before = owner.get(found);
      if (before !== undefined && !place(before, seen)) return false;
      owner.set(found, truth);
      return true;
    });
  return [...choices.keys()].filter((truth) => place(truth, new Set())).length;
}
