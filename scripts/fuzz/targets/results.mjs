import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensure } from '../findings.mjs';
import { mutateBytes, mutateJson } from '../mutate.mjs';
import { fixture, load, scratch } from '../package.mjs';

const { evaluateCocoFiles } = load('index.js');
const folder = scratch('results');

const cut = (path, keys) => {
  const value = JSON.parse(readFileSync(fixture(path), 'utf8'));
  for (const key of keys) if (Array.isArray(value[key])) value[key] = value[key].slice(0, 4);
  return Array.isArray(value) ? value.slice(0, 6) : value;
};

/** An input is `{"type", "truth", "results"}`: both files as one. */
export const seeds = () =>
  ['mixed', 'sparse', 'crowded'].flatMap((name) =>
    ['segm', 'bbox'].map((type) =>
      Buffer.from(
        JSON.stringify({
          type,
          truth: cut(`coco-eval/${name}.gt.json`, ['annotations', 'images']),
          results: cut(`coco-eval/${name}.results.json`, []),
        }),
      ),
    ),
  );

export const options = {
  keys: [
    'image_id',
    'category_id',
    'score',
    'bbox',
    'segmentation',
    'size',
    'counts',
    'area',
    'iscrowd',
    'id',
    'annotations',
    'images',
    'categories',
    'file_name',
    'width',
    'height',
    'name',
  ],
};
export const mutate = (random, bytes, given) =>
  random.chance(0.9) ? mutateJson(random, bytes, given) : mutateBytes(random, bytes, given);

export async function run(bytes) {
  let [type, truth, results] = ['segm', bytes, bytes];
  try {
    const value = JSON.parse(bytes.toString('utf8'));
    type = value.type;
    [truth, results] = [value.truth, value.results].map((part) => JSON.stringify(part) ?? '');
  } catch {}
  const [a, b] = [join(folder, 'truth.json'), join(folder, 'results.json')];
  writeFileSync(a, truth);
  writeFileSync(b, results);
  const { stats } = await evaluateCocoFiles(a, b, type);
  ensure(
    stats.every((value) => value === -1 || (value >= 0 && value <= 1)),
    () => `evaluateCocoFiles gives ${stats}`,
  );
}
