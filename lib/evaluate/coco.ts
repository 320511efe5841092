import { binding } from '../binding.js';
import type { Rle } from '../masks/rle.js';

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

/** As numpy's linspace has them. */
const IOUS = Array.from({ length: 10 }, (_, i) => (i === 9 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / 9)));
const RECALLS = Array.from({ length: 101 }, (_, i) => i / 100);
const AREAS = [
  [0, 1e10],
  [0, 32 ** 2],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e10],
] as const;
const MOST: readonly [number, number, number] = [1, 10, 100];

/** Matches of one category in one picture, for one range of areas: detections by falling score. */
interface Matches {
  scores: number[];
  /** [IoUs, detections]: whether it took an object, and whether it does not count. */
  matched: Uint8Array;
  ignored: Uint8Array;
  /** Objects that count. */
  objects: number;
}

/**
 * pycocotools' COCOeval: average precision and recall of boxes or masks over `categories`. Among equal scores the order
 * of `pictures` and of their detections decides, as there. `most`: COCO's maxDets, the detections of a category in a picture
 * that count; AP is of the last.
 */
export function evaluateCoco(
  pictures: readonly CocoPicture[],
  categories: readonly number[],
  type: 'segm' | 'bbox',
  most = MOST,
): CocoEvaluation {
  // [categories][areas], one entry a picture that has something of the category.
  const all = categories.map(() => AREAS.map((): Matches[] => []));
  const place = new Map(categories.map((category, k) => [category, k]));
  for (const picture of pictures) {
    for (const [category, { truths, found }] of byCategory(picture)) {
      const k = place.get(category);
      if (k === undefined) continue;
      const best = found.toSorted((a, b) => b.score - a.score).slice(0, most[2]);
      const ious = overlaps(best, truths, type);
      for (const [a, range] of AREAS.entries()) all[k]![a]!.push(match(best, truths, ious, range));
    }
  }
  // [categories][areas][most detections]
  const curves = all.map((areas) => areas.map((matches) => most.map((count) => accumulate(matches, count))));
  const precision = (area: number, iou?: number) =>
    mean(curves.flatMap((areas) => pick(areas[area]![2]!.precision, iou)));
  const recall = (area: number, most: number) => mean(curves.flatMap((areas) => areas[area]![most]!.recall));
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
      const { precision: own } = curves[k]![0]![2]!;
      return own.length > 0 ? [{ category, AP: mean(pick(own)), AP50: mean(pick(own, 0)) }] : [];
    }),
  };
}

const mean = (values: readonly number[]): number =>
  values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : -1;

/** Of [IoUs][recalls] those of one IoU, or all. */
const pick = (values: readonly number[][], iou?: number): number[] =>
  iou === undefined ? values.flat() : (values[iou] ?? []);

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
    const [height, width] = truths[0]!.mask!.size;
    const crowd = Uint8Array.from(truths, (truth) => Number(truth.crowd));
    const counts = (list: readonly { mask?: Rle | undefined }[]) => list.map(({ mask }) => mask!.counts);
    return binding().rleIou(counts(found), counts(truths), height, width, crowd);
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
  const order = truths.map((_, g) => g).sort((a, b) => Number(ignore[a]) - Number(ignore[b]));
  const matched = new Uint8Array(IOUS.length * found.length);
  const ignored = new Uint8Array(IOUS.length * found.length);
  for (const [t, threshold] of IOUS.entries()) {
    const taken = new Uint8Array(truths.length);
    for (let d = 0; d < found.length; d++) {
      let best = Math.min(threshold, 1 - 1e-10);
      let chosen = -1;
      for (const g of order) {
        if (taken[g] && !truths[g]!.crowd) continue;
        if (chosen >= 0 && !ignore[chosen] && ignore[g]) break;
        const iou = ious[d * truths.length + g]!;
        if (iou < best) continue;
        best = iou;
        chosen = g;
      }
      const at = t * found.length + d;
      if (chosen < 0) {
        ignored[at] = Number(outside(found[d]!));
        continue;
      }
      taken[chosen] = 1;
      matched[at] = 1;
      ignored[at] = Number(ignore[chosen]);
    }
  }
  return {
    scores: found.map(({ score }) => score),
    matched,
    ignored,
    objects: ignore.filter((value) => !value).length,
  };
}

/** Precision [IoUs][recalls] and recall [IoUs]; both empty where no object counts. */
function accumulate(pictures: readonly Matches[], most: number): { precision: number[][]; recall: number[] } {
  const objects = pictures.reduce((sum, picture) => sum + picture.objects, 0);
  if (objects === 0) return { precision: [], recall: [] };
  const order = pictures
    .flatMap((picture) => picture.scores.slice(0, most).map((score, d) => ({ picture, score, d })))
    .sort((a, b) => b.score - a.score);
  const precision: number[][] = [];
  const recall: number[] = [];
  for (let t = 0; t < IOUS.length; t++) {
    let [hits, misses] = [0, 0];
    const recalls: number[] = [];
    const precisions: number[] = [];
    for (const { picture, d } of order) {
      const at = t * picture.scores.length + d;
      if (!picture.ignored[at]) {
        if (picture.matched[at]) hits++;
        else misses++;
      }
      recalls.push(hits / objects);
      precisions.push(hits / (hits + misses + Number.EPSILON));
    }
    for (let i = precisions.length - 2; i >= 0; i--) {
      precisions[i] = Math.max(precisions[i]!, precisions[i + 1]!);
    }
    let from = 0;
    precision.push(
      RECALLS.map((wanted) => {
        while (from < recalls.length && recalls[from]! < wanted) from++;
        return precisions[from] ?? 0;
      }),
    );
    recall.push(recalls.at(-1) ?? 0);
  }
  return { precision, recall };
}
