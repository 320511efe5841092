import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, load, scratch } from '../package.mjs';
import { checkSamples } from './coco.mjs';

const { openDataset } = load('index.js');

/** Every file below a folder whose name passes. */
const filesOf = (folder, test) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => test.test(name))
    .sort()
    .map((name) => join(folder, name));

/** Of Cityscapes or KITTI: mutated label maps, and (KITTI, behind a first byte 0) lists of names. */
export function streetScenes(format) {
  const folder = scratch(format);
  const kitti = format === 'kitti';
  const [images, labels, image, label] = kitti
    ? ['training/image_2', 'training/instance', 'a.png', 'a.png']
    : ['leftImg8bit/train/c', 'gtFine/train/c', 'a_leftImg8bit.png', 'a_gtFine_instanceIds.png'];
  for (const part of [images, labels]) mkdirSync(join(folder, part), { recursive: true });
  const fixtures = fixture(join('datasets', format));
  const maps = filesOf(fixtures, kitti ? /instance\/.*\.png$/ : /instanceIds\.png$/);
  copyFileSync(
    filesOf(fixtures, kitti ? /image_2\/.*\.png$/ : /leftImg8bit\.png$/)[0],
    join(folder, images, image),
  );
  return {
    seeds: () => [
      ...maps.map((path) => Buffer.concat([Buffer.from([1]), readFileSync(path)])),
      ...(kitti ? [Buffer.from('\0a\n'), Buffer.from('\0a b\r\n../a\n')] : []),
    ],
    options: { dictionary: ['a', '\n', '../', '\0', '/', 'IHDR', 'PLTE', 'tRNS', 'IDAT'] },
    async run(bytes) {
      const list = kitti && bytes[0] === 0;
      if (list) writeFileSync(join(folder, 'list.txt'), bytes.subarray(1));
      else writeFileSync(join(folder, labels, label), bytes.subarray(1));
      await checkSamples(await openDataset({ format, data: folder, ...(list && { split: 'list' }) }));
    },
  };
}
