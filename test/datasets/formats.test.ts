import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import ndarray from 'ndarray';
import { type Dataset, decodeImage, encodeRle, openDataset } from '../../dist/index.js';
import { compressCounts, decompressCounts } from '../../dist/masks/runs.js';
import { fixture, GOLDENS, optionsOf, unpack } from '../helpers/datasets.js';
import { readJson } from '../helpers/model-cases.js';

for (const [index, { options, classNames, categoryIds, samples }] of GOLDENS.datasets.entries()) {
  test(`${options.data} ${options.split ?? ''}: samples are those of pycocotools and numpy`, async (t) => {
    const dataset = await openDataset(optionsOf(index));
    t.deepEqual(dataset.classNames, classNames);
    t.deepEqual(dataset.categoryIds, categoryIds);
    t.is(dataset.length, samples.length);
    for (const [i, { id, size, instances, ignored }] of samples.entries()) {
      const sample = await dataset.sample(i);
      t.is(sample.id, id);
      t.deepEqual([sample.height, sample.width], size);
      const { width, height } = await decodeImage(sample.image);
      t.deepEqual([height, width], size);
      const rle = (mask: string) => encodeRle(ndarray(unpack(mask, size[0] * size[1]), size));
      t.deepEqual(
        sample.instances,
        instances.map(({ mask, ...rest }) => ({ ...rest, mask: rle(mask) })),
      );
      t.deepEqual(sample.ignored, ignored === undefined ? undefined : rle(ignored));
    }
  });
}

test('compressed runs are those of pycocotools, both ways', (t) => {
  const { masks } = readJson('goldens', 'rle.json') as {
    masks: { size: [number, number]; bits: string; counts: string }[];
  };
  for (const { size, bits, counts } of masks) {
    const runs = decompressCounts({ size, counts });
    t.is(compressCounts(runs), counts);
    const [height, width] = size;
    const flat = runs.flatMap((run, i) => new Array<number>(run).fill(i % 2));
    const bitmap = unpack(bits, height * width);
    t.true(bitmap.every((bit, i) => bit === flat[(i % width) * height + Math.floor(i / width)]));
  }
});

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const rejects = async (
  t: { throwsAsync: (promise: Promise<unknown>, expected: object) => Promise<unknown> },
  promise: Promise<unknown>,
  code: string,
  message: RegExp,
) => t.throwsAsync(promise, { code, message });

type Coco = {
  images: Record<string, unknown>[];
  annotations: Record<string, unknown>[];
  categories: unknown[];
};

/** The COCO fixture with something changed. */
function changed(change: (coco: Coco) => void): Promise<Dataset> {
  const coco = JSON.parse(readFileSync(join(fixture('coco'), 'annotations', 'instances_train.json'), 'utf8'));
  change(coco);
  const annotations = join(folder, `${Math.random()}.json`);
  writeFileSync(annotations, JSON.stringify(coco));
  return openDataset({ format: 'coco', data: fixture('coco'), annotations, images: 'train' });
}

test('a broken annotation is named with its picture', async (t) => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ category_id: 5 }, /annotations\[0\]\.category_id: expected the id of a category but received 5/],
    [
      { segmentation: [[1, 2, 3, 4, 5]] },
      /segmentation\[0\]: expected .* three or more corners .* \[1,2,3,4,5\]/,
    ],
    [
      { segmentation: [[1, 2, 3, 4, 5, null]] },
      /segmentation\[0\]\[5\]: expected a finite number but received null/,
    ],
    [
      { segmentation: [] },
      /annotations\[0\]\.segmentation: expected polygons or RLE but received nothing: Mask R-CNN/,
    ],
    [
      { segmentation: undefined },
      /expected polygons or RLE but received nothing: .*fasterrcnn.*masks: 'optional'/,
    ],
    [
      { segmentation: { size: [37, 29], counts: [1073] } },
      /segmentation\.size: expected size \[29, 37\] of the image .* \[37,29\]/,
    ],
    [{ segmentation: { size: [29, 37], counts: [3, 4] } }, /runs that cover 29 × 37 pixels .* 7 pixels/],
    [{ segmentation: { size: [29, 37], counts: [1074, -1] } }, /lengths of runs but received -1/],
    [{ segmentation: { size: [29, 37], counts: 'é' } }, /compressed run lengths/],
    [{ segmentation: { size: [29, 37], counts: 'PPPPPPPPPPPP' } }, /compressed run lengths|lengths of runs/],
    [{ bbox: [1, 2, 3] }, /annotations\[0\]\.bbox: expected four numbers but received \[1,2,3\]/],
  ];
  for (const [change, message] of cases) {
    const dataset = await changed(({ annotations }) => Object.assign(annotations[0]!, change));
    await rejects(t, dataset.sample(0), 'ERR_NLRCNN_DATASET', message);
    await rejects(t, dataset.sample(0), 'ERR_NLRCNN_DATASET', /^Annotation 1 of street\.png: /);
    t.is((await dataset.sample(1)).instances.length, 1);
  }
});

test('without bbox and area these are the mask’s', async (t) => {
  const dataset = await changed(({ annotations }) => {
    for (const annotation of annotations) {
      delete annotation.bbox;
      delete annotation.area;
    }
  });
  const [instance] = (await dataset.sample(1)).instances;
  t.deepEqual(instance!.box, [3, 0, 5, 21]);
  t.is(instance!.area, 42);
});

test('a file that is no COCO JSON is refused with its name', async (t) => {
  const broken: [(coco: Coco) => void, RegExp][] = [
    [(coco) => Object.assign(coco, { images: undefined }), /no list of images/],
    [(coco) => Object.assign(coco, { images: [] }), /lists no images/],
    [({ images }) => Object.assign(images[1]!, { id: 9 }), /image id 9 is there twice/],
    [
      ({ images }) => Object.assign(images[1]!, { width: 0 }),
      /images\[1\]\.width: expected a positive integer but received 0/,
    ],
    [
      ({ categories }) => categories.push({ id: 3, name: 'x' }),
      /category id 3 is there twice \(categories\[1\]\.id and categories\[3\]\.id\)/,
    ],
  ];
  for (const [change, message] of broken) {
    await rejects(t, changed(change), 'ERR_NLRCNN_DATASET', message);
  }
  const text = join(folder, 'text.json');
  writeFileSync(text, '{"images": [');
  const open = (annotations?: string, split?: string) =>
    openDataset({ format: 'coco', data: fixture('coco'), annotations, split });
  await rejects(t, open(text), 'ERR_NLRCNN_DATASET', /text\.json but it is no JSON/);
  await rejects(t, open(undefined, 'nowhere'), 'ERR_NLRCNN_IO', /instances_nowhere\.json/);
});

test('label maps: what is missing is named', async (t) => {
  const data = join(folder, 'maps');
  cpSync(fixture('labelmaps'), data, { recursive: true });
  rmSync(join(data, 'labels', 'a.png'));
  cpSync(join(fixture('coco'), 'train', 'street.png'), join(data, 'labels', 'c.png'));
  const dataset = await openDataset({ format: 'labelmaps', data, split: 'train', className: 'cell' });
  t.deepEqual(dataset.classNames, ['background', 'cell']);
  await rejects(t, dataset.sample(0), 'ERR_NLRCNN_IO', /labels\/a\.png does not exist/);
  await rejects(t, dataset.sample(1), 'ERR_NLRCNN_DATASET', /gray .*c\.png has colours/);
  await rejects(t, dataset.sample(2), 'ERR_NLRCNN_ARGUMENT', /from 0 to 1 for index/);
  const open = (split: string, labels?: string) => openDataset({ format: 'labelmaps', data, split, labels });
  await rejects(t, open('none'), 'ERR_NLRCNN_DATASET', /one of train, test for split but received none/);
  const named = await open('test', 'labels');
  await rejects(t, named.sample(0), 'ERR_NLRCNN_IO', /labels\/b\.png/);
  cpSync(join(data, 'labels'), join(data, 'labels_test2'), { recursive: true });
  await rejects(t, open('test'), 'ERR_NLRCNN_DATASET', /labels_test2, labels_test_original: name one/);
});

test('all pictures without a split; unknown formats', async (t) => {
  const all = await openDataset({ format: 'labelmaps', data: fixture('labelmaps') });
  t.is(all.length, 3);
  const wrong = openDataset({ format: 'voc' as 'coco', data: folder });
  await rejects(t, wrong, 'ERR_NLRCNN_ARGUMENT', /coco, labelmaps, cityscapes, kitti for format/);
  await rejects(t, openDataset({ format: 'kitti', data: folder }), 'ERR_NLRCNN_IO', /training/);
});
