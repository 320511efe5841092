import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rleArea, rleFromPolygons, rleToBbox } from '../../dist/index.js';

const [PICTURES, TRUTHS, DETECTIONS, CATEGORIES] = [500, 10, 50, 10];
const [WIDTH, HEIGHT] = [640, 480];

/** An outline of 24 corners about an ellipse. */
interface Blob {
  category: number;
  center: [number, number];
  radii: [number, number];
}

/** Writes `gt.json` and `results.json`: of each truth a few detections near it, and some anywhere. */
export function writeCocoCase(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-coco-'));
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const between = (low: number, high: number) => low + (high - low) * random();
  const anywhere = (): Blob => ({
    category: 1 + Math.floor(CATEGORIES * random()),
    center: [between(0, WIDTH), between(0, HEIGHT)],
    radii: [4 + 120 * random() ** 2, 4 + 120 * random() ** 2],
  });
  const near = ({ category, center: [x, y], radii: [a, b] }: Blob): Blob => ({
    category: random() < 0.9 ? category : 1 + Math.floor(CATEGORIES * random()),
    center: [x + a * between(-0.3, 0.3), y + b * between(-0.3, 0.3)],
    radii: [a * between(0.7, 1.3), b * between(0.7, 1.3)],
  });
  const outline = ({ center, radii }: Blob) =>
    Array.from({ length: 24 }, (_, i) => {
      const angle = (i * Math.PI) / 12;
      const wave = between(0.9, 1.1);
      const x = center[0] + radii[0] * wave * Math.cos(angle);
      const y = center[1] + radii[1] * wave * Math.sin(angle);
      return [Math.min(Math.max(x, 0), WIDTH), Math.min(Math.max(y, 0), HEIGHT)];
    }).flat();
  const mask = (blob: Blob) => rleFromPolygons([outline(blob)], [HEIGHT, WIDTH]);
  const images = Array.from({ length: PICTURES }, (_, i) => ({
    id: i + 1,
    file_name: `${i + 1}.png`,
    width: WIDTH,
    height: HEIGHT,
  }));
  const annotations: object[] = [];
  const results: object[] = [];
  for (const { id: image_id } of images) {
    const truths = Array.from({ length: TRUTHS }, anywhere);
    for (const truth of truths) {
      const segmentation = mask(truth);
      annotations.push({
        id: annotations.length + 1,
        image_id,
        category_id: truth.category,
        bbox: rleToBbox(segmentation),
        area: rleArea(segmentation),
        iscrowd: Number(random() < 0.02),
        segmentation,
      });
    }
    for (let d = 0; d < DETECTIONS; d++) {
      const blob = random() < 0.6 ? near(truths[d % TRUTHS]!) : anywhere();
      const segmentation = mask(blob);
      const [bbox, score] = [rleToBbox(segmentation), random()];
      results.push({ image_id, category_id: blob.category, score, bbox, segmentation });
    }
  }
  const categories = Array.from({ length: CATEGORIES }, (_, i) => ({ id: i + 1, name: `class ${i + 1}` }));
  const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  write('gt.json', { info: {}, images, annotations, categories });
  write('results.json', results);
  return folder;
}
