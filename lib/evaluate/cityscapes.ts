import { checkList, checkMask, checkNumber, checkObject } from '../arguments.js';
import { type Rle, rleArea, rleIou } from '../masks/rle.js';
import { arange } from './numpy.js';

/** An annotated object, or a group of objects that cannot be told apart (a crowd region). */
export interface CityscapesTruth {
  category: number;
  mask: Rle;
  group: boolean;
}

export interface CityscapesFound {
  category: number;
  score: number;
  mask: Rle;
}

/** One picture: what there is, and what was found. */
export interface CityscapesPicture {
  truths: readonly CityscapesTruth[];
  found: readonly CityscapesFound[];
  /** Pixels that are not judged: Cityscapes' void. */
  ignored?: Rle | undefined;
}

/** NaN where there is nothing to measure. */
export interface CityscapesEvaluation {
  AP: number;
  AP50: number;
  /** Of each category that has objects. */
  perClass: { category: number; AP: number; AP50: number }[];
}

const IOUS = [...arange(0.5, 1, 0.05)];
/** Smaller objects are not judged; pixels. */
const LEAST_PIXELS = 100;

interface Truth {
  pixels: number;
  /** Neither a group nor too small. */
  judged: boolean;
  group: boolean;
}

interface Found {
  score: number;
  pixels: number;
  ignoredPixels: number;
  /** With each truth: intersection. */
  common: number[];
}

/** One category in one picture. */
interface Scene {
  truths: Truth[];
  found: Found[];
}

/**
 * The instance benchmark of Cityscapes (cityscapesscripts' evalInstanceLevelSemanticLabeling, without distances): average
 * precision over IoUs .50 to .95 and at .50, averaged over categories. An object takes the best-scored detection of IoU above the
 * threshold, its others are false; detections that lie on groups, small objects or ignored pixels by more than the threshold
 * do not count.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what are no such pictures, ERR_NLRCNN_SHAPE for masks of several sizes in one.
 */
export function evaluateCityscapes(
  pictures: readonly CityscapesPicture[],
  categories: readonly number[],
): CityscapesEvaluation {
  for (const category of checkList(categories, 'category ids', 'categories'))
    checkNumber(category, 'a category');
  for (const picture of checkList(pictures, 'pictures', 'pictures')) checkPicture(picture);
  const scenes = new Map(categories.map((category) => [category, [] as Scene[]]));
  for (const picture of pictures) {
    for (const [category, own] of scenes) {
      const scene = sceneOf(picture, category);
      if (scene.truths.length > 0 || scene.found.length > 0) own.push(scene);
    }
  }
  const perClass = [...scenes].flatMap(([category, own]) => {
    if (!own.some(({ truths }) => truths.some(({ judged }) => judged))) return [];
    const aps = IOUS.map((iou) => averagePrecision(own, iou));
    return [{ category, AP: mean(aps), AP50: aps[0]! }];
  });
  return {
    AP: mean(perClass.map(({ AP }) => AP)),
    AP50: mean(perClass.map(({ AP50 }) => AP50)),
    perClass,
  };
}

function checkPicture(picture: CityscapesPicture): void {
  const { truths, found, ignored } = checkObject(picture, 'an object', 'a picture');
  for (const truth of checkList(truths, 'objects', 'truths')) {
    checkMask(checkObject(truth, 'an object', 'a truth').mask, 'mask');
  }
  for (const one of checkList(found, 'detections', 'found')) {
    checkMask(checkObject(one, 'an object', 'a detection').mask, 'mask');
    checkNumber(one.score, 'score');
  }
  if (ignored !== undefined) checkMask(ignored, 'ignored');
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function sceneOf({ truths, found, ignored }: CityscapesPicture, category: number): Scene {
  const own = truths.filter((truth) => truth.category === category);
  const masks = own.map(({ mask }) => mask);
  const detections = found.filter((one) => one.category === category && rleArea(one.mask) > 0);
  const regions = ignored ? [...masks, ignored] : masks;
  const shares = rleIou(
    detections.map(({ mask }) => mask),
    regions,
    regions.map(() => true),
  );
  return {
    truths: own.map(({ mask, group }) => {
      const pixels = rleArea(mask);
      return { pixels, group, judged: !group && pixels >= LEAST_PIXELS };
    }),
    found: detections.map(({ score, mask }, d) => {
      const pixels = rleArea(mask);
      const common = regions.map((_, g) => Math.round(shares.get(d, g) * pixels));
      const ignoredPixels = ignored ? common.pop()! : 0;
      return { score, pixels, ignoredPixels, common };
    }),
  };
}

function averagePrecision(scenes: readonly Scene[], threshold: number): number {
  const right: number[] = [];
  const wrong: number[] = [];
  let missed = 0;
  for (const { truths, found } of scenes) {
    const fits = (one: Found, g: number) =>
      one.common[g]! / (truths[g]!.pixels + one.pixels - one.common[g]!) > threshold;
    for (const [g, { judged }] of truths.entries()) {
      if (!judged) continue;
      const scores = found.filter((one) => fits(one, g)).map(({ score }) => score);
      if (scores.length === 0) {
        missed++;
        continue;
      }
      const [best, ...others] = scores.sort((a, b) => b - a);
      right.push(best!);
      wrong.push(...others);
    }
    for (const one of found) {
      if (truths.some((_, g) => fits(one, g))) continue;
      // A small group counts twice, as in the original.
      const unjudged = one.common.reduce(
        (sum, pixels, g) =>
          sum + pixels * (Number(truths[g]!.group) + Number(truths[g]!.pixels < LEAST_PIXELS)),
        one.ignoredPixels,
      );
      if (unjudged / one.pixels <= threshold) wrong.push(one.score);
    }
  }
  return areaUnderCurve(right, wrong, missed);
}

/** Precision over recall by the original's rule: half of each step to either side, and precision 1 at recall 0. */
function areaUnderCurve(right: readonly number[], wrong: readonly number[], missed: number): number {
  const falling = [
    ...right.map((score) => [score, 1] as const),
    ...wrong.map((score) => [score, 0] as const),
  ];
  falling.sort((a, b) => b[0] - a[0]);
  const objects = right.length + missed;
  const precision = [1];
  const recall = [0];
  let hits = 0;
  for (const [i, [score, hit]] of falling.entries()) {
    hits += hit;
    if (falling[i + 1]?.[0] === score) continue;
    precision.push(hits / (i + 1));
    recall.push(objects > 0 ? hits / objects : 0);
  }
  const at = (i: number) => recall[Math.min(Math.max(i, 0), recall.length - 1)]!;
  return precision.reduce((sum, value, i) => sum + (value * (at(i + 1) - at(i - 1))) / 2, 0);
}
