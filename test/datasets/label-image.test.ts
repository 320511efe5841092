import { copyFileSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { instancesOf, readLabelImage } from '../../dist/datasets/label-image.js';
import { openDataset } from '../../dist/index.js';

const fixture = (name: string) => join(__dirname, '..', '..', 'test', 'fixtures', 'images', name);
const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8'));

test('32-bit label maps of a data set keep all objects, also those that 16 bits would merge', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  for (const part of ['images', 'labels']) mkdirSync(join(data, part));
  const names = [
    'uint32-labels.tif',
    'int32-labels.tif',
    'int64-labels.tif',
    'float32-labels.tif',
    'palette4.png',
  ];
  for (const name of names) {
    copyFileSync(fixture('uint8.tif'), join(data, 'images', name.replace('.png', '.tif')));
    copyFileSync(fixture(name), join(data, 'labels', name));
  }
  const dataset = await openDataset({ format: 'labelmaps', data });
  t.is(dataset.length, names.length);
  for (let i = 0; i < dataset.length; i++) {
    const { id, instances } = await dataset.sample(i);
    const { values } = expected[names.find((name) => name.startsWith(`${id}.`))!].labels;
    const areas = new Map<number, number>();
    for (const value of values) areas.set(value, (areas.get(value) ?? 0) + 1);
    areas.delete(0);
    t.deepEqual(
      instances.map(({ area }) => area),
      [...areas].sort(([a], [b]) => a - b).map(([, area]) => area),
      String(id),
    );
  }
});

test('labels up to 2^32 - 1 are told apart', async (t) => {
  const { data, width, height } = await readLabelImage(fixture('uint32.tif'));
  t.true(data.some((value) => value > 2 ** 31));
  const found: number[] = [];
  instancesOf({ data, width, height }, (value) => {
    found.push(value);
    return null;
  });
  t.deepEqual(
    found.sort((a, b) => a - b),
    [...new Set(data)].sort((a, b) => a - b),
  );
});
