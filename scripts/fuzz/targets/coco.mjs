import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensure } from '../findings.mjs';
import { mutateJson } from '../mutate.mjs';
import { fixture, load, scratch } from '../package.mjs';

const { openDataset, rleArea } = load('index.js');
const folder = scratch('coco');
mkdirSync(join(folder, 'train'), { recursive: true });
const { images } = JSON.parse(
  readFileSync(fixture('datasets/coco/annotations/instances_train.json'), 'utf8'),
);
for (const { file_name: name } of images) {
  writeFileSync(join(folder, 'train', name), readFileSync(fixture(join('datasets/coco/train', name))));
}

export const seeds = () => [
  readFileSync(fixture('datasets/coco/annotations/instances_train.json')),
  readFileSync(fixture('coco-eval/sparse.gt.json')),
];
export const options = {
  keys: [
    'id',
    'image_id',
    'category_id',
    'bbox',
    'segmentation',
    'size',
    'counts',
    'area',
    'iscrowd',
    'annotations',
    'images',
    'categories',
    'file_name',
    'width',
    'height',
    'name',
    'score',
  ],
};
export const mutate = mutateJson;

/** All that a data set gives of its first samples must be sound. */
export async function checkSamples(data) {
  let refusal;
  for (let i = 0; i < Math.min(3, data.length); i++) {
    let sample;
    try {
      sample = await data.sample(i);
    } catch (error) {
      if (!error.code) throw error;
      refusal = error;
      continue;
    }
    for (const { label, box, mask } of sample.instances) {
      ensure(
        Number.isInteger(label) && label >= 1 && label < data.classNames.length,
        'an instance of no class',
      );
      ensure(box.length === 4 && box.every(Number.isFinite), () => `an instance's box is ${box}`);
      if (mask)
        ensure(
          rleArea(mask) >= 0 && mask.size.join() === [sample.height, sample.width].join(),
          "an instance's mask is not of the image's size",
        );
    }
  }
  if (refusal) throw refusal;
}

export async function run(bytes) {
  writeFileSync(join(folder, 'x.json'), bytes);
  await checkSamples(
    await openDataset({ format: 'coco', data: folder, annotations: 'x.json', images: 'train' }),
  );
}
