import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, load, scratch } from '../package.mjs';
import { checkSamples } from './coco.mjs';

const { openDataset } = load('index.js');
const folder = scratch('labelmaps');
for (const part of ['images', 'labels']) mkdirSync(join(folder, part), { recursive: true });
const [image] = readdirSync(fixture('datasets/labelmaps/images')).sort();
copyFileSync(fixture(join('datasets/labelmaps/images', image)), join(folder, 'images', 'a.png'));

const INDEX = 0;
const labels = readdirSync(fixture('datasets/labelmaps/labels')).sort();

/** The first byte says what the rest is: 0 an index.csv, 1 a label map. */
export const seeds = () => [
  Buffer.concat([Buffer.from([INDEX]), readFileSync(fixture('datasets/labelmaps/index.csv'))]),
  Buffer.from('\0id,split\na,train\n'),
  ...labels.map((name) =>
    Buffer.concat([Buffer.from([1]), readFileSync(fixture(join('datasets/labelmaps/labels', name)))]),
  ),
  ...['int32-big-endian.tif', 'float32-labels.tif', 'bits4.tif', 'gray4.png'].map((name) =>
    Buffer.concat([Buffer.from([1]), readFileSync(fixture(join('images', name)))]),
  ),
];
export const options = {
  dictionary: ['id', 'split', ',', '\n', 'train', 'a', '../', '\0', 'IHDR', 'PLTE', 'tRNS', 'IDAT'],
};

export async function run(bytes) {
  if (bytes[0] === INDEX) {
    writeFileSync(join(folder, 'index.csv'), bytes.subarray(1));
    const data = await openDataset({ format: 'labelmaps', data: folder, split: 'train', labels: 'labels' });
    await checkSamples(data);
    return;
  }
  writeFileSync(join(folder, 'labels', 'a.png'), bytes.subarray(1));
  await checkSamples(await openDataset({ format: 'labelmaps', data: folder }));
}
