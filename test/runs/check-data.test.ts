import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { checkObjects } from '../../dist/datasets/check.js';
import { type Dataset, parseTrainingConfig, rleFromBbox, train } from '../../dist/index.js';
import { changedKeys } from '../../dist/runs/config.js';
import { cocoFolder, corners, type Json, plainCoco } from '../helpers/coco-folder.js';
import { runCli } from '../helpers/run-node.js';

const MODEL = {
  backbone: 'resnet18',
  fpn_channels: 16,
  num_classes: 3,
  norm: 'batch',
  min_size: 64,
  max_size: 96,
  anchor_sizes: [[8], [16], [32], [64], [128]],
  box_head_fc: 16,
  mask_head_convs: 1,
  mask_head_channels: 16,
};

async function run(change: (coco: Json) => void, architecture: string, own: Record<string, unknown> = {}) {
  const coco = plainCoco();
  change(coco);
  const dir = await cocoFolder(JSON.stringify(coco));
  const config = parseTrainingConfig({
    model: { ...MODEL, architecture },
    data: { format: 'coco', dir, workers: 0 },
    steps: 1,
    ...own,
  });
  const out = join(dir, 'run');
  return { dir, out, result: train(config, { out, device: 'cpu' }) };
}

const each = (change: (annotation: Json) => void) => (coco: Json) => coco.annotations.forEach(change);

test('boxes alone train Faster R-CNN; Mask R-CNN says what it lacks before it begins', async (t) => {
  const change = each((a) => (a.segmentation = []));
  const boxes = await run(change, 'fasterrcnn');
  t.true((await boxes.result).finished);
  const masks = await run(change, 'maskrcnn');
  await t.throwsAsync(masks.result, {
    code: 'ERR_NLRCNN_DATASET',
    message: /annotations\[0\]\.segmentation: .*fasterrcnn.*\(and 3 more such annotations\)/,
  });
  t.false(existsSync(masks.out));
});

test('an annotation that cannot be used is told before the first step, unless it is to be skipped', async (t) => {
  const change = (coco: Json) => (coco.annotations[3].iscrowd = 'maybe');
  const fails = await run(change, 'fasterrcnn');
  await t.throwsAsync(fails.result, {
    code: 'ERR_NLRCNN_DATASET',
    message: /annotations\[3\]\.iscrowd: expected 0 or 1 but received "maybe".*on_data_error "skip"/,
  });
  t.false(existsSync(fails.out));
  const skips = await run(change, 'fasterrcnn', { on_data_error: 'skip', batch_size: 1 });
  t.true((await skips.result).finished);
});

const NOTHING: [string, (coco: Json) => void, RegExp][] = [
  ['no annotations', (coco) => (coco.annotations = []), /the 2 images of the training data have none/],
  ['crowds alone', each((a) => (a.iscrowd = '1')), /have crowds alone \(4\)/],
  [
    'coordinates between 0 and 1',
    each((a) => (a.segmentation = [corners(0.1, 0.1, 0.2, 0.2)])),
    /show no pixel of their 4 objects \(are the coordinates pixels\?\)/,
  ],
  [
    'objects outside of the images',
    each((a) => (a.segmentation = [corners(300, 300, 20, 20)])),
    /show no pixel of their 4 objects/,
  ],
];

for (const [name, change, message] of NOTHING) {
  test(`nothing to learn from is an error before the first step: ${name}`, async (t) => {
    const { out, result } = await run(change, 'maskrcnn');
    await t.throwsAsync(result, { code: 'ERR_NLRCNN_DATASET', message });
    t.false(existsSync(out));
  });
}

test('data sets that do not know their contents are looked into', async (t) => {
  const asked: number[] = [];
  const own = (objects: number, crowd = false): Dataset => ({
    classNames: ['background', 'a'],
    length: 4,
    async sample(index) {
      asked.push(index);
      const mask = rleFromBbox([1, 1, 4, 4], [8, 8]);
      const instance = {
        label: 1,
        box: [1, 1, 5, 5] as [number, number, number, number],
        mask,
        crowd,
        area: 16,
      };
      const image = { data: new Uint8Array(64), width: 8, height: 8, channels: 1 as const };
      const instances = index === 2 ? Array.from({ length: objects }, () => instance) : [];
      return { id: index, name: `${index}`, image, width: 8, height: 8, instances };
    },
  });
  await checkObjects(own(1));
  t.deepEqual(asked, [0, 1, 2]);
  await t.throwsAsync(checkObjects(own(0)), { message: /the 4 images of the training data have none/ });
  await t.throwsAsync(checkObjects(own(3, true)), { message: /crowds alone \(3\)/ });
});

test('init-config suggests Faster R-CNN for boxes alone', async (t) => {
  const coco = plainCoco();
  for (const annotation of coco.annotations) delete annotation.segmentation;
  const dir = await cocoFolder(JSON.stringify(coco));
  const { code, stdout, stderr } = await runCli('init-config', '--data', dir, '--format', 'coco');
  t.is(code, 0, stderr);
  t.is(JSON.parse(stdout).model.architecture, 'fasterrcnn');
  t.is(JSON.parse(stdout).data.exif, null);
});

test('a run from before data.exif goes on', (t) => {
  const { exif: _, ...before } = parseTrainingConfig({ data: { format: 'coco', dir: '.' } }).data;
  const now = (exif: string | null) => parseTrainingConfig({ data: { ...before, exif } });
  t.deepEqual(changedKeys(parseTrainingConfig({ data: before }), now(null)), []);
  t.deepEqual(changedKeys(parseTrainingConfig({ data: before }), now('ignore')), ['data.exif']);
  t.throws(() => parseTrainingConfig({ data: { format: 'coco', dir: '.', exif: 'maybe' } }), {
    code: 'ERR_NLRCNN_CONFIG',
    message: /apply, ignore for data\.exif/,
  });
});

test('nlrcnn eval: --type bbox takes boxes alone, --exif is checked', async (t) => {
  const coco = plainCoco();
  for (const annotation of coco.annotations) delete annotation.segmentation;
  coco.categories = [{ id: 1, name: 'nucleus' }];
  for (const annotation of coco.annotations) annotation.category_id = 1;
  const dir = await cocoFolder('');
  writeFileSync(join(dir, 'val.json'), JSON.stringify(coco));
  const args = ['eval', '--data', dir, '--format', 'coco', '--split', 'val', '--device', 'cpu', '--json'];
  const boxes = await runCli(...args, '--type', 'bbox', '--exif', 'ignore');
  t.is(boxes.code, 0, boxes.stderr);
  t.is(JSON.parse(boxes.stdout).bbox.length, 12);
  const masks = await runCli(...args);
  t.is(masks.code, 1);
  t.regex(masks.stderr, /^nlrcnn: .*annotations\[0\]\.segmentation: expected polygons or RLE.*\n$/);
  const wrong = await runCli(...args, '--exif', 'turn');
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /--exif of apply, ignore/);
});
