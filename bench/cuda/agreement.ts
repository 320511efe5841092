import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Device, Precision } from '../../dist/device.js';
import { type Detection, loadModel, Model } from '../../dist/model.js';
import { HAS_BUNDLED, MODEL_CASES, photoPath, ROOT, seededModel } from '../subjects/cases.js';

type Box = Detection['box'];

function iou(a: Box, b: Box): number {
  const side = (i: 0 | 1) => Math.max(0, Math.min(a[i + 2]!, b[i + 2]!) - Math.max(a[i]!, b[i]!));
  const area = (box: Box) => (box[2] - box[0]) * (box[3] - box[1]);
  const inter = side(0) * side(1);
  return inter / (area(a) + area(b) - inter || 1);
}

/** COCO's AP at one IoU of one class: detections by falling score, each taking the best ground truth left. */
function averagePrecision(pictures: { found: Detection[]; truth: Detection[] }[], threshold: number): number {
  const taken = pictures.map(() => new Set<Detection>());
  const all = pictures
    .flatMap(({ found }, p) => found.map((detection) => ({ detection, p })))
    .sort((a, b) => b.detection.score - a.detection.score);
  const total = pictures.reduce((sum, { truth }) => sum + truth.length, 0);
  let hits = 0;
  const points = all.map(({ detection, p }, i) => {
    const free = pictures[p]!.truth.filter((truth) => !taken[p]!.has(truth));
    const best = free.sort((a, b) => iou(detection.box, b.box) - iou(detection.box, a.box))[0];
    if (best && iou(detection.box, best.box) >= threshold) {
      taken[p]!.add(best);
      hits++;
    }
    return { recall: hits / total, precision: hits / (i + 1) };
  });
  for (let i = points.length - 2; i >= 0; i--)
    points[i]!.precision = Math.max(points[i]!.precision, points[i + 1]!.precision);
  const at = Array.from(
    { length: 101 },
    (_, r) => points.find(({ recall }) => recall >= r / 100 - 1e-9)?.precision ?? 0,
  );
  return at.reduce((a, b) => a + b, 0) / 101;
}

/** Mean over classes and IoUs of .50 to .95. */
function boxAp(pictures: { found: Detection[]; truth: Detection[] }[]): number {
  const classes = new Set(pictures.flatMap(({ truth }) => truth.map(({ labelId }) => labelId)));
  const thresholds = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i);
  const values = [...classes].flatMap((label) => {
    const own = (list: Detection[]) => list.filter(({ labelId }) => labelId === label);
    const cut = pictures.map(({ found, truth }) => ({ found: own(found), truth: own(truth) }));
    return thresholds.map((threshold) => averagePrecision(cut, threshold));
  });
  return values.reduce((a, b) => a + b, 0) / (values.length || 1);
}

/** Box AP of half precision with the fp32 detections as ground truth, of the bundled model and of seeded networks. */
export async function benchAgreement(device: Device, quick: boolean): Promise<Record<string, number>> {
  const samples = readdirSync(join(ROOT, 'models', 'samples'))
    .filter((name) => name.endsWith('.png'))
    .slice(0, quick ? 1 : undefined)
    .map((name) => join(ROOT, 'models', 'samples', name));
  const networks = MODEL_CASES.filter(({ name }) =>
    quick ? name === 'nl-box' : /^(r50-landscape|r50-portrait|nl-box)$/.test(name),
  );
  const run = async (precision: Precision) => {
    const results: Detection[][] = [];
    if (HAS_BUNDLED) {
      using bundled = await loadModel({ device, precision });
      for (const sample of samples) results.push((await bundled.segment(sample)).detections);
    }
    for (const network of networks) {
      const { config, parameters } = seededModel(network, device);
      using model = new Model(network.name, config, device, precision, parameters);
      results.push((await model.segment(photoPath(network.photo))).detections);
    }
    return results;
  };
  const truth = await run('fp32');
  const out: Record<string, number> = {};
  for (const precision of ['tf32', 'fp16', 'bf16'] as const) {
    const found = await run(precision);
    out[precision] = boxAp(found.map((list, i) => ({ found: list, truth: truth[i]! })));
  }
  return out;
}
