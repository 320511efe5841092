import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { evaluateCocoFiles, isNlrcnnError } from '../../dist/index.js';
import { type Json, plainCoco, pythonJson } from '../helpers/coco-folder.js';
import { runCli } from '../helpers/run-node.js';

/** Does something to each. */
function all(items: Json[], change: (item: Json) => unknown): void {
  for (const item of items) change(item);
}

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));

/** Scores perfect detections of the plain data set, of which something was changed. */
async function score(change: (truth: Json, results: Json[]) => void, type: 'segm' | 'bbox' = 'bbox') {
  const truth = plainCoco();
  const results: Json[] = truth.annotations.map((annotation: Json, i: number) => ({
    image_id: annotation.image_id,
    category_id: annotation.category_id,
    score: 0.9 - i / 100,
    bbox: [...annotation.bbox],
    segmentation: structuredClone(annotation.segmentation),
  }));
  change(truth, results);
  const [gt, found] = ['gt.json', 'results.json'].map((name) => join(folder, name)) as [string, string];
  writeFileSync(gt, pythonJson(truth));
  writeFileSync(found, pythonJson(results));
  return evaluateCocoFiles(gt, found, type);
}

/** Files of which all is found. */
const PERFECT: Record<string, (truth: Json, results: Json[]) => void> = {
  plain: () => {},
  'ids of images as strings': ({ images }) => all(images, (image: Json) => (image.id = `${image.id}`)),
  'ids of annotations as strings': ({ annotations }) =>
    all(annotations, (a: Json) =>
      Object.assign(a, { image_id: `${a.image_id}`, category_id: `${a.category_id}` }),
    ),
  'ids of results as strings': (_, results) =>
    all(results, (r) => Object.assign(r, { image_id: `${r.image_id}`, category_id: `${r.category_id}` })),
  'scores, boxes and areas as strings': ({ annotations }, results) => {
    all(annotations, (a: Json) => (a.area = '600'));
    all(results, (r) => Object.assign(r, { score: `${r.score}`, bbox: r.bbox.map(String) }));
  },
  'iscrowd as string': ({ annotations }) => all(annotations, (a: Json) => (a.iscrowd = '0')),
  'no area, no iscrowd, no ids': ({ annotations }) =>
    all(annotations, (a: Json) => {
      for (const key of ['area', 'iscrowd', 'id']) delete a[key];
    }),
  'no file names, no category names': ({ images, categories }) => {
    all(images, (image: Json) => delete image.file_name);
    all(categories, (category: Json) => delete category.name);
  },
  'NaN in keys that are not used': ({ annotations }) => all(annotations, (a: Json) => (a.score = Number.NaN)),
};

for (const [name, change] of Object.entries(PERFECT)) {
  for (const type of ['segm', 'bbox'] as const) {
    test.serial(`${name}, ${type}: all is found`, async (t) => {
      const { stats, perClass } = await score(change, type);
      t.is(stats[0], 1);
      t.is(perClass.length, 2);
    });
  }
}

test.serial('boxes alone, and images without a size, are enough for boxes', async (t) => {
  const bare = ({ images, annotations }: Json) => {
    for (const image of images) for (const key of ['width', 'height']) delete image[key];
    for (const annotation of annotations) annotation.segmentation = [];
  };
  t.is((await score(bare)).stats[0], 1);
  const noSize = ({ images }: Json) => all(images, (image: Json) => delete image.width);
  t.is((await score(noSize)).stats[0], 1);
  await t.throwsAsync(score(noSize, 'segm'), {
    code: 'ERR_NLRCNN_DATASET',
    message: /images\[0\]: expected width and height, as masks need them/,
  });
});

const REFUSED: Record<string, [(truth: Json, results: Json[]) => void, RegExp]> = {
  'score NaN': [(_, results) => (results[1]!.score = Number.NaN), /detections\[1\]\.score: .* received NaN/],
  'no image id': [
    (_, results) => delete results[1]!.image_id,
    /detections\[1\]\.image_id: .* received nothing/,
  ],
  'box of three': [
    (_, results) => (results[2]!.bbox = [1, 2, 3]),
    /detections\[2\]\.bbox: expected four numbers/,
  ],
  'box of null': [
    (_, results) => (results[2]!.bbox[3] = null),
    /detections\[2\]\.bbox\[3\]: .* received null/,
  ],
  'an image that is not listed': [
    (_, results) => (results[3]!.image_id = 9),
    /Detection 3 of .*: detections\[3\]\.image_id: expected the id of a picture of the ground truth but received 9/,
  ],
  'area NaN': [
    (truth) => (truth.annotations[1].area = Number.NaN),
    /annotations\[1\]\.area: .* received NaN/,
  ],
  'iscrowd 3': [(truth) => (truth.annotations[1].iscrowd = 3), /annotations\[1\]\.iscrowd: expected 0 or 1/],
  'no annotation of an image': [
    (truth) => all(truth.annotations, (a: Json) => (a.image_id = 'x')),
    /none of its 4 annotations is of an image that it lists/,
  ],
};

for (const [name, [change, message]] of Object.entries(REFUSED)) {
  test.serial(`${name}: refused with the place`, async (t) => {
    await t.throwsAsync(score(change), { code: 'ERR_NLRCNN_DATASET', message });
  });
}

test.serial('anything in a detection: numbers, or an error of the package that says where', async (t) => {
  const junk = [
    ...[null, true, 0, -1, 1.5, 1e308, Number.NaN, -Infinity, '', '1', 'x', [], [1], [[]], {}],
    ...[{ size: [64, 96], counts: '0' }, { size: [64, 96], counts: [6144] }, [1, 2, 3, 4], '__proto__'],
  ];
  for (const key of ['image_id', 'category_id', 'score', 'bbox', 'segmentation']) {
    for (const value of junk) {
      for (const type of ['segm', 'bbox'] as const) {
        const name = `${key} ${pythonJson(value)} ${type}`;
        try {
          const { stats } = await score((_, results) => (results[1]![key] = value), type);
          t.true(stats.every(Number.isFinite), name);
        } catch (error) {
          t.true(isNlrcnnError(error), `${name}: ${error}`);
          t.regex((error as Error).message, /detections\[1\]/, name);
        }
      }
    }
  }
});

test.serial('nlrcnn eval says what it leaves out, once and on one line', async (t) => {
  await score((truth) => truth.annotations.push({ image_id: 77, category_id: 1, bbox: [0, 0, 5, 5] }));
  const files = ['--gt', join(folder, 'gt.json'), '--results', join(folder, 'results.json')];
  const { code, stdout, stderr } = await runCli('eval', ...files, '--type', 'segm,bbox', '--json');
  t.is(code, 0);
  t.is(JSON.parse(stdout).bbox[0], 1);
  t.regex(
    stderr,
    /^nlrcnn: warning: .*gt\.json: annotations left out.*: 1 \(annotations\[4\]\.image_id 77\)\n$/,
  );
});
