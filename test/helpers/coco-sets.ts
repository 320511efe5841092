import { Stream } from './random.js';

/** The sets of test/goldens/coco_sets.py, drawn alike. */

type Box = [number, number, number, number];

interface Image {
  id: number;
  height: number;
  width: number;
}

interface Truth {
  image: number;
  category: number;
  box: Box;
  area: number;
  crowd: number;
}

interface Found {
  image: number;
  category: number;
  box: Box;
  score: number;
}

interface CocoSet {
  categories: number;
  cut: boolean;
  images: Image[];
  truths: Truth[];
  found: Found[];
}

/** Images, categories, most objects, most detections, and of 20: crowds, one-digit scores, images without objects. */
type Scenario = [number, number, number, number, number, number, number];

const SCENARIOS: readonly (Scenario | ((s: Stream) => CocoSet))[] = [
  [6, 4, 6, 10, 2, 6, 4],
  [5, 3, 6, 12, 1, 20, 2],
  [5, 3, 6, 10, 10, 6, 2],
  [3, 2, 1, 2, 2, 10, 8],
  [4, 24, 10, 14, 2, 6, 2],
  [2, 1, 8, 125, 2, 10, 0],
  recalls,
  thresholds,
];

export const COCO_SETS = 240;

export function cocoSet(index: number): CocoSet {
  const s = new Stream(index);
  const scenario = SCENARIOS[index % SCENARIOS.length]!;
  if (typeof scenario === 'function') return scenario(s);
  const [images, categories, objects, detections, crowds, digits, empty] = scenario;
  const out: CocoSet = { categories, cut: true, images: [], truths: [], found: [] };
  for (let i = 0; i < images; i++) {
    const image = { id: 3 * i + 2, height: s.int(40, 160), width: s.int(40, 160) };
    out.images.push(image);
    const count = s.int(0, 20) < empty ? 0 : s.int(1, objects + 1);
    const own = Array.from({ length: count }, () => truth(s, image, categories, crowds));
    out.truths.push(...own);
    const most = s.int(0, detections + 1);
    for (let d = 0; d < most; d++) out.found.push(detection(s, image, own, categories, digits));
  }
  return out;
}

function truth(s: Stream, image: Image, categories: number, crowds: number): Truth {
  const side = s.pick([4, 9, 31, 32, 33, 60, 96]);
  const [w, h] = [Math.min(side + s.int(0, 3), image.width), Math.min(side + s.int(0, 3), image.height)];
  const [x, y] = [s.int(0, image.width - w + 1), s.int(0, image.height - h + 1)];
  const [category, crowd] = [s.int(1, categories + 1), Number(s.int(0, 20) < crowds)];
  const area = s.pick([w * h, w * h, 1024, 1023.5, 9216, 9216.5]);
  return { image: image.id, category, box: [x, y, w, h], area, crowd };
}

function detection(
  s: Stream,
  image: Image,
  truths: readonly Truth[],
  categories: number,
  digits: number,
): Found {
  const [near, same] = [s.int(0, 10), s.int(0, 10)];
  let category = s.int(1, categories + 1);
  const shift = [0, 1, 2, 3].map(() => s.int(-3, 4));
  let box = [s.int(0, 40), s.int(0, 40), s.int(1, 60), s.int(1, 60)] as Box;
  if (truths.length > 0 && near < 7) {
    const of = s.pick(truths);
    box = of.box.map((v, i) => v + shift[i]!) as Box;
    if (same < 9) category = of.category;
  }
  const x = Math.min(Math.max(box[0], 0), image.width - 1);
  const y = Math.min(Math.max(box[1], 0), image.height - 1);
  const w = Math.max(1, Math.min(box[2], image.width - x));
  const h = Math.max(1, Math.min(box[3], image.height - y));
  const [rounded, score] = [s.int(0, 20) < digits, s.next()];
  return {
    image: image.id,
    category,
    box: [x, y, w, h],
    score: rounded ? Math.floor(10 * score) / 10 : score,
  };
}

/** 100, 50 or 20 objects of one class, most of them found exactly: recall passes n / 100 one by one. */
function recalls(s: Stream): CocoSet {
  const out: CocoSet = { categories: 1, cut: false, images: [], truths: [], found: [] };
  const images = s.pick([1, 2, 5, 5]);
  for (let image = 0; image < images; image++) {
    out.images.push({ id: image, height: 60, width: 90 });
    for (let k = 0; k < 20; k++) {
      const box: Box = [18 * (k % 5) + 1, 15 * Math.floor(k / 5) + 1, 12, 10];
      out.truths.push({ image, category: 1, box, area: 120, crowd: 0 });
      const [hit, score] = [s.int(0, 10) < 9, s.next()];
      if (hit) out.found.push({ image, category: 1, box, score });
      if (s.int(0, 10) < 5)
        out.found.push({ image, category: 1, box: [box[0], box[1], 3, 3], score: s.next() });
    }
  }
  return out;
}

/** Pairs whose IoU is n / 20: as large as a threshold, or 1. */
function thresholds(s: Stream): CocoSet {
  const out: CocoSet = { categories: 2, cut: false, images: [], truths: [], found: [] };
  const images = s.int(3, 12);
  for (let image = 0; image < images; image++) {
    out.images.push({ id: image, height: 30, width: 60 });
    const category = s.int(1, 3);
    out.truths.push({ image, category, box: [4, 5, 40, 20], area: 800, crowd: 0 });
    const detections = s.int(1, 3);
    for (let d = 0; d < detections; d++) {
      out.found.push({ image, category, box: [4, 5, 2 * s.int(10, 21), 20], score: s.int(0, 10) / 10 });
    }
  }
  return out;
}

/** Run lengths of a box, without the lower third of its right half where `cut`. */
function counts([x, y, w, h]: Box, { height, width }: Image, cut: boolean): number[] {
  const runs: number[] = [];
  let end = 0;
  for (let column = 0; column < w; column++) {
    const tall = cut && 2 * column >= w ? h - Math.floor(h / 3) : h;
    const start = (x + column) * height + y;
    if (start === end && runs.length > 0) runs[runs.length - 1]! += tall;
    else runs.push(start - end, tall);
    end = start + tall;
  }
  const rest = width * height - end;
  return rest > 0 ? [...runs, rest] : runs;
}

/** Ground truth and results as COCO has them. */
export function cocoFiles({ categories, cut, images, truths, found }: CocoSet, kind: 'segm' | 'bbox') {
  const byId = new Map(images.map((image) => [image.id, image]));
  const segmentation = ({ image: id, box }: { image: number; box: Box }) => {
    const image = byId.get(id)!;
    return { size: [image.height, image.width], counts: counts(box, image, cut) };
  };
  const annotations = truths.map((one, i) => ({
    id: i + 1,
    image_id: one.image,
    category_id: one.category,
    bbox: one.box,
    area: one.area,
    iscrowd: one.crowd,
    segmentation: segmentation(one),
  }));
  const results = found.map((one) => ({
    image_id: one.image,
    category_id: one.category,
    score: one.score,
    ...(kind === 'bbox' ? { bbox: one.box } : { segmentation: segmentation(one) }),
  }));
  const gt = {
    images: images.map((image) => ({ ...image, file_name: `${image.id}.png` })),
    annotations,
    categories: Array.from({ length: categories }, (_, i) => ({ id: i + 1, name: `class ${i + 1}` })),
  };
  return { gt, results };
}
