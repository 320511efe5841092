import { checkBox, checkList, checkMask, checkNumber, checkObject } from '../arguments.js';
import { invalidArgument } from '../errors.js';
import { type Rle, rleIou } from '../masks/rle.js';
import { linspace, mean } from './numpy.js';

/** An annotated object, as COCO's ground truth has it. */
export interface CocoTruth {
  category: number;
  /** x, y, width, height. */
  bbox: readonly number[];
  area: number;
  crowd: boolean;
  mask?: Rle | undefined;
}

/** A detection, as a COCO results file has it; `area` is that of its mask, or of its box where boxes are compared. */
export interface CocoFound {
  category: number;
  score: number;
  bbox: readonly number[];
  area: number;
  mask?: Rle | undefined;
}

/** One picture: what there is, and what was found. */
export interface CocoPicture {
  truths: readonly CocoTruth[];
  found: readonly CocoFound[];
}

/** pycocotools' twelve numbers in its order (`COCO_STATS` names them); -1 where there is nothing to measure. */
export interface CocoEvaluation {
  stats: number[];
  /** AP over all IoUs and AP at IoU .50 of each category that has objects. */
  perClass: { category: number; AP: number; AP50: number }[];
}

export const COCO_STATS = [
  'AP',
  'AP50',
  'AP75',
  'APs',
  'APm',
  'APl',
  'AR1',
  'AR10',
  'AR100',
  'ARs',
  'ARm',
  'ARl',
] as const;

const IOUS = linspace(0.5, 0.95, 10);
const RECALLS = linspace(0, 1, 101);
const AREAS = [
  [0, 1e10],
  [0, 32 ** 2],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e10],
] as const;
const MOST: readonly [number, number, number] = [1, 10, 100];

/** Matches of one category in one picture, for one range of areas: detections by falling score. */
interface Matches {
  /** [IoUs, detections]: HIT, MISS or IGNORED. */
  outcomes: Uint8Array;
  detections: number;
  /** Objects that count. */
  objects: number;
}

const [MISS, HIT, IGNORED] = [0, 1, 2] as const;

/**
 * pycocotools' COCOeval: average precision and recall of boxes or masks over `categories`. Among equal scores the order
 * of `pictures` and of their detections decides, as there. `most`: COCO's maxDets, the detections of a category in a picture
 * that count; AP is of the last.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no such list: boxes without four finite numbers where boxes are compared,
 * objects without a mask where masks are, scores and areas that are no numbers.
 */
export function evaluateCoco(
  pictures: readonly CocoPicture[],
  categories: readonly number[],
  type: 'segm' | 'bbox',
  most = MOST,
): CocoEvaluation {
  checkArguments(pictures, categories, type, most);
  // [categories]: scores, and for each area what came of them; one entry a picture that has something of the category.
  const all = categories.map(() => ({ scores: [] as number[][], areas: AREAS.map((): Matches[] => []) }));
  const place = new Map(categories.map((category, k) => [category, k]));
  for (const picture of pictures) {
    for (const [category, { truths, found }] of byCategory(picture)) {
      const own = all[place.get(category) ?? -1];
      if (!own) continue;
      const best = found.toSorted((a, b) => b.score - a.score).slice(0, most[2]);
      const ious = overlaps(best, truths, type);
      own.scores.push(best.map(({ score }) => score));
      for (const [a, range] of AREAS.entries()) own.areas[a]!.push(match(best, truths, ious, range));
    }
  }
  // [categories][areas], empty where no object counts.
  const precisions = all.map(({ scores, areas }) => {
    const order = fallingScores(scores);
    return areas.map((matches) => precisionCurves(matches, order));
  });
  const precision = (area: number, iou?: number) =>
    meanOf(precisions.map((areas) => pick(areas[area]!, iou)));
  const recall = (area: number, count: number) =>
    meanOf(all.map(({ areas }) => recalls(areas[area]!, most[count]!)));
  return {
    stats: [
      precision(0),
      precision(0, 0),
      precision(0, 5),
      precision(1),
      precision(2),
      precision(3),
      recall(0, 0),
      recall(0, 1),
      recall(0, 2),
      recall(1, 2),
      recall(2, 2),
      recall(3, 2),
    ],
    perClass: categories.flatMap((category, k) => {
      const own = precisions[k]![0]!;
      return own.length > 0 ? [{ category, AP: mean(own, -1), AP50: mean(pick(own, 0), -1) }] : [];
    }),
  };
}

function checkArguments(
  pictures: readonly CocoPicture[],
  categories: readonly number[],
  type: 'segm' | 'bbox',
  most: readonly number[],
): void {
  if (type !== 'segm' && type !== 'bbox') throw invalidArgument('segm or bbox', 'type', type);
  for (const category of checkList(categories, 'category ids', 'categories'))
    checkNumber(category, 'a category');
  if (
    !Array.isArray(most) ||
    most.length !== 3 ||
    !most.every((count) => Number.isInteger(count) && count > 0)
  ) {
    throw invalidArgument('three positive integers', 'most', most);
  }
  for (const picture of checkList(pictures, 'pictures', 'pictures')) {
    const { truths, found } = checkObject(picture, 'an object', 'a picture');
    for (const truth of checkList(truths, 'objects', 'truths')) {
      checkThing(truth, type, 'a truth');
      const { crowd } = truth as { crowd?: unknown };
      // As annotations have it, 0 and 1 serve as well.
      if (!['boolean', 'number', 'undefined'].includes(typeof crowd)) {
        throw invalidArgument('true or false', 'crowd', crowd);
      }
    }
    for (const one of checkList(found, 'detections', 'found')) {
      checkThing(one, type, 'a detection');
      checkNumber(one.score, 'score');
    }
  }
}

function checkThing(thing: CocoTruth | CocoFound, type: 'segm' | 'bbox', name: string): void {
  checkObject(thing, 'an object', name);
  checkNumber(thing.area, 'area');
  if (type === 'bbox') checkBox(thing.bbox, 'bbox');
  else checkMask(thing.mask!, 'mask');
}

/** Mean over all categories that have something; added up in pycocotools' order, in which categories are the last axis. */
function meanOf(categories: readonly Float64Array[]): number {
  const own = categories.filter(({ length }) => length > 0);
  const values = new Float64Array(own.length * (own[0]?.length ?? 0));
  for (const [k, numbers] of own.entries()) {
    for (let i = 0; i < numbers.length; i++) values[i * own.length + k] = numbers[i]!;
  }
  return mean(values, -1);
}

/** Of [IoUs, recalls] those of one IoU, or all. */
const pick = (values: Float64Array, iou?: number): Float64Array =>
  iou === undefined ? values : values.subarray(iou * RECALLS.length, (iou + 1) * RECALLS.length);

function byCategory({
  truths,
  found,
}: CocoPicture): Map<number, { truths: CocoTruth[]; found: CocoFound[] }> {
  const groups = new Map<number, { truths: CocoTruth[]; found: CocoFound[] }>();
  const group = (category: number) => {
    let own = groups.get(category);
    if (!own) {
      own = { truths: [], found: [] };
      groups.set(category, own);
    }
    return own;
  };
  for (const truth of truths) group(truth.category).truths.push(truth);
  for (const one of found) group(one.category).found.push(one);
  return groups;
}

/** [found, truths], row-major; over the detection's own area where the truth is a crowd. */
function overlaps(
  found: readonly CocoFound[],
  truths: readonly CocoTruth[],
  type: 'segm' | 'bbox',
): Float64Array {
  if (found.length === 0 || truths.length === 0) return new Float64Array(0);
  if (type === 'segm') {
    const masks = (list: readonly { mask?: Rle | undefined }[]) => list.map(({ mask }) => mask!);
    const crowd = truths.map((truth) => truth.crowd);
    return rleIou(masks(found), masks(truths), crowd).data as Float64Array;
  }
  const ious = new Float64Array(found.length * truths.length);
  for (const [d, { bbox: a }] of found.entries()) {
    for (const [g, { bbox: b, crowd }] of truths.entries()) {
      const w = Math.min(a[0]! + a[2]!, b[0]! + b[2]!) - Math.max(a[0]!, b[0]!);
      const h = Math.min(a[1]! + a[3]!, b[1]! + b[3]!) - Math.max(a[1]!, b[1]!);
      if (w <= 0 || h <= 0) continue;
      const own = a[2]! * a[3]!;
      ious[d * truths.length + g] = (w * h) / (crowd ? own : own + b[2]! * b[3]! - w * h);
    }
  }
  return ious;
}

function match(
  found: readonly CocoFound[],
  truths: readonly CocoTruth[],
  ious: Float64Array,
  [least, most]: readonly [number, number],
): Matches {
  const outside = ({ area }: { area: number }) => area < least || area > most;
  const ignore = truths.map((truth) => truth.crowd || outside(truth));
  // Those that count first.
  const order = [...truths.keys()].sort((a, b) => Number(ignore[a]) - Number(ignore[b]));
  const outcomes = new Uint8Array(IOUS.length * found.length);
  const taken = new Uint8Array(truths.length);
  for (const [t, threshold] of IOUS.entries()) {
    taken.fill(0);
    for (let d = 0; d < found.length; d++) {
      let best = Math.min(threshold, 1 - 1e-10);
      let chosen = -1;
      for (const g of order) {
        if (chosen >= 0 && !ignore[chosen] && ignore[g]) break;
        const iou = ious[d * truths.length + g]!;
        if (iou < best || (taken[g] && !truths[g]!.crowd)) continue;
        best = iou;
        chosen = g;
      }
      if (chosen >= 0) taken[chosen] = 1;
      const counts = chosen >= 0 ? !ignore[chosen] : !outside(found[d]!);
      outcomes[t * found.length + d] = counts ? (chosen >= 0 ? HIT : MISS) : IGNORED;
    }
  }
  return { outcomes, detections: found.length, objects: ignore.filter((value) => !value).length };
}

/** Where the detections of [pictures][detections] lie, by falling score. */
function fallingScores(scores: readonly (readonly number[])[]): {
  picture: Uint32Array;
  detection: Uint32Array;
} {
  const all = Float64Array.from(scores.flat());
  const order = Uint32Array.from(all.keys()).sort((a, b) => all[b]! - all[a]! || a - b);
  const pictures = Uint32Array.from(scores.flatMap((own, i) => own.map(() => i)));
  const detections = Uint32Array.from(scores.flatMap((own) => [...own.keys()]));
  return { picture: order.map((i) => pictures[i]!), detection: order.map((i) => detections[i]!) };
}

const countObjects = (pictures: readonly Matches[]) =>
  pictures.reduce((sum, { objects }) => sum + objects, 0);

/** Precision [IoUs, recalls]; empty where no object counts. */
function precisionCurves(
  pictures: readonly Matches[],
  { picture, detection }: ReturnType<typeof fallingScores>,
): Float64Array {
  const objects = countObjects(pictures);
  if (objects === 0) return new Float64Array(0);
  const recall = new Float64Array(picture.length);
  const precision = new Float64Array(picture.length);
  const curves = new Float64Array(IOUS.length * RECALLS.length);
  for (let t = 0; t < IOUS.length; t++) {
    let [hits, misses] = [0, 0];
    for (let i = 0; i < picture.length; i++) {
      const { outcomes, detections } = pictures[picture[i]!]!;
      const outcome = outcomes[t * detections + detection[i]!];
      if (outcome === HIT) hits++;
      else if (outcome === MISS) misses++;
      recall[i] = hits / objects;
      precision[i] = hits / (hits + misses + Number.EPSILON);
    }
    for (let i = precision.length - 2; i >= 0; i--) {
      precision[i] = Math.max(precision[i]!, precision[i + 1]!);
    }
    let from = 0;
    for (const [r, wanted] of RECALLS.entries()) {
      while (from < recall.length && recall[from]! < wanted) from++;
      curves[t * RECALLS.length + r] = precision[from] ?? 0;
    }
  }
  return curves;
}

/** Recall [IoUs] of the first `most` detections of each picture; empty where no object counts. */
function recalls(pictures: readonly Matches[], most: number): Float64Array {
  const objects = countObjects(pictures);
  if (objects === 0) return new Float64Array(0);
  return IOUS.map((_, t) => {
    let hits = 0;
    for (const { outcomes, detections } of pictures) {
      const from = t * detections;
      for (let i = from; i < from + Math.min(most, detections); i++) hits += Number(outcomes[i] === HIT);
    }
    return hits / objects;
  });
}
