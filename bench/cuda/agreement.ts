import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Device, Precision } from '../../dist/device.js';
import { evaluateCoco } from '../../dist/evaluate/coco.js';
import { type Detection, loadModel, Model } from '../../dist/model.js';
import { HAS_BUNDLED, MODEL_CASES, photoPath, ROOT, seededModel } from '../subjects/cases.js';

/** COCO's box AP of detections with others as ground truth. */
function boxAp(pictures: readonly { found: Detection[]; truth: Detection[] }[]): number {
  const boxes = ({ labelId, box: [x1, y1, x2, y2] }: Detection) => ({
    category: labelId,
    bbox: [x1, y1, x2 - x1, y2 - y1],
    area: (x2 - x1) * (y2 - y1),
  });
  const labels = new Set(pictures.flatMap(({ truth }) => truth.map(({ labelId }) => labelId)));
  const own = pictures.map(({ found, truth }) => ({
    truths: truth.map((detection) => ({ ...boxes(detection), crowd: false })),
    found: found.map((detection) => ({ ...boxes(detection), score: detection.score })),
  }));
  // The bundled model finds more than COCO's 100 in a picture.
  return evaluateCoco(own, [...labels], 'bbox', [1, 10, 1000]).stats[0]!;
}

/** By precision and network: box AP with the fp32 detections as ground truth, of the bundled model and of seeded networks. */
export async function benchAgreement(
  device: Device,
  quick: boolean,
): Promise<Record<string, Record<string, number>>> {
  const samples = readdirSync(join(ROOT, 'models', 'samples'))
    .filter((name) => name.endsWith('.png'))
    .slice(0, quick ? 1 : undefined)
    .map((name) => join(ROOT, 'models', 'samples', name));
  const networks = MODEL_CASES.filter(({ name }) =>
    quick ? name === 'nl-box' : /^(r50-landscape|r50-portrait|nl-box)$/.test(name),
  );
  const run = async (precision: Precision) => {
    const results = new Map<string, Detection[][]>();
    const collect = async (name: string, model: Model, pictures: readonly string[]) => {
      const found = await model.segment(pictures);
      results.set(
        name,
        found.map(({ detections }) => detections),
      );
    };
    if (HAS_BUNDLED) {
      using bundled = await loadModel({ device, precision });
      await collect('bundled', bundled, samples);
    }
    for (const network of networks) {
      const { config, parameters } = seededModel(network, device);
      using model = new Model(network.name, config, device, precision, parameters);
      await collect(network.name, model, [photoPath(network.photo)]);
    }
    return results;
  };
  const truth = await run('fp32');
  const out: Record<string, Record<string, number>> = {};
  for (const precision of ['tf32', 'fp16', 'bf16'] as const) {
    const found = await run(precision);
    out[precision] = Object.fromEntries(
      [...found].map(([name, lists]) => [
        name,
        boxAp(lists.map((list, i) => ({ found: list, truth: truth.get(name)![i]! }))),
      ]),
    );
  }
  return out;
}
