import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { evaluateCocoFiles } from '../../dist/evaluate/coco-files.js';
import { rleFromBbox } from '../../dist/masks/rle.js';
import { runCli } from '../helpers/run-node.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
let count = 0;
function write(value: unknown): string {
  const path = join(folder, `${count++}.json`);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const SIZE: [number, number] = [40, 60];
type Box = [number, number, number, number];
const BOXES: Box[] = [
  [2, 3, 20, 10],
  [30, 8, 12, 25],
];

/** Two images with an object of each class; ids 10 and 20, categories 3 and 5. */
function groundTruth() {
  const [height, width] = SIZE;
  const images = ['x/img.png', 'y/img.png'].map((file_name, i) => ({
    id: 10 * (i + 1),
    file_name,
    height,
    width,
  }));
  const categories = [
    { id: 3, name: 'car' },
    { id: 5, name: 'dog' },
  ];
  const annotations = images.flatMap((image) =>
    categories.map((category, i) => ({
      image_id: image.id,
      category_id: category.id,
      bbox: BOXES[i]!,
      area: BOXES[i]![2] * BOXES[i]![3],
      iscrowd: 0,
      segmentation: rleFromBbox(BOXES[i]!, SIZE),
    })),
  );
  return { images, categories, annotations: annotations.map((one, i) => ({ id: i + 1, ...one })) };
}

type Truth = ReturnType<typeof groundTruth>;

/** All objects found. */
const listOf = ({ annotations }: Truth) =>
  annotations.map(({ image_id, category_id, bbox, segmentation }, i) => ({
    image_id,
    category_id,
    bbox,
    segmentation,
    score: 0.9 - i / 100,
  }));

/** The same as a data set of its own ids: images 1 and 2 in the other order, classes 1, 2, 3 of which one is not in the truth. */
function dataset(truth: Truth, rename: Record<string, string> = {}) {
  const images = truth.images.toReversed().map((image, i) => ({ ...image, id: i + 1 }));
  const imageId = new Map(truth.images.toReversed().map(({ id }, i) => [id, i + 1]));
  const categoryId = new Map([
    [5, 1],
    [3, 3],
  ]);
  const names = ['dog', 'bird', 'car'].map((name) => rename[name] ?? name);
  return {
    images,
    categories: names.map((name, i) => ({ id: i + 1, name })),
    annotations: listOf(truth).map((entry, i) => ({
      ...entry,
      id: i + 1,
      image_id: imageId.get(entry.image_id)!,
      category_id: categoryId.get(entry.category_id)!,
      iscrowd: 0,
      area: 1,
    })),
  };
}

for (const kind of ['segm', 'bbox'] as const) {
  test(`${kind}: a list and a data set with names and ids of its own score the same`, async (t) => {
    const truth = groundTruth();
    const gt = write(truth);
    const list = await evaluateCocoFiles(gt, write(listOf(truth)), kind);
    t.is(list.stats[0], 1);
    t.deepEqual(list.notes, []);
    const found = dataset(truth);
    const own = await evaluateCocoFiles(gt, write(found), kind);
    t.deepEqual(own.stats, list.stats);
    t.deepEqual(own.perClass, list.perClass);
    // A detection of a class that the ground truth lacks is not scored, as in pycocotools.
    const bird = { ...found.annotations[0]!, id: 9, category_id: 2, score: 0.99 };
    const more = write({ ...found, annotations: [bird, ...found.annotations] });
    const { stats, notes } = await evaluateCocoFiles(gt, more, kind);
    t.deepEqual(stats, list.stats);
    t.is(notes.length, 1);
    t.regex(notes[0]!, /has no bird: not scored/);
    // A list has no names: the same by id.
    const unknown = write([...listOf(truth), { ...listOf(truth)[0]!, category_id: 9, score: 0.99 }]);
    const byId = await evaluateCocoFiles(gt, unknown, kind);
    t.deepEqual(byId.stats, list.stats);
    t.regex(byId.notes[0]!, /no category of id 9: 1 detections of .* are not scored/);
  });
}

test('annotations alone are a list; a class that the results lack is missed', async (t) => {
  const truth = groundTruth();
  const gt = write(truth);
  t.is((await evaluateCocoFiles(gt, write({ annotations: listOf(truth) }), 'bbox')).stats[0], 1);
  const found = dataset(truth);
  const cars = {
    ...found,
    categories: found.categories.slice(2),
    annotations: found.annotations.filter(({ category_id }) => category_id === 3),
  };
  const { stats, perClass, notes } = await evaluateCocoFiles(gt, write(cars), 'bbox');
  t.deepEqual(
    perClass.map(({ category, AP }) => [category, AP]),
    [
      [3, 1],
      [5, 0],
    ],
  );
  t.is(stats[0], 0.5);
  t.regex(notes[0]!, /has no dog: all their objects are missed/);
});

test('results of images and classes that the ground truth cannot have are refused by name', async (t) => {
  const truth = groundTruth();
  const gt = write(truth);
  const refused = (value: unknown, message: RegExp, of = gt) =>
    t.throwsAsync(evaluateCocoFiles(of, write(value), 'bbox'), { code: 'ERR_NLRCNN_DATASET', message });
  await refused(dataset(truth, { dog: 'Hund', car: 'Auto' }), /\(car, dog\) but .* has Hund, bird, Auto/);
  await refused(dataset(truth, { dog: 'car' }), /distinct names in .* but car is there twice/);
  const found = dataset(truth);
  const named = (...names: string[]) => ({
    ...found,
    images: found.images.map((image, i) => ({ ...image, file_name: names[i]! })),
  });
  await refused(
    named('z/img.png', 'x/img.png'),
    /z\/img\.png .* x\/img\.png \(id 10\), y\/img\.png \(id 20\) could/,
  );
  await refused(named('other.png', 'x/img.png'), /other\.png .* none has that name/);
  await refused(named('x/img.png', 'a/x/img.png'), /a\/x\/img\.png and x\/img\.png of .* are both image 10/);
  await refused(
    { ...found, images: found.images.slice(1) },
    /Detection 2 of .* id of its own images but received 1/,
  );
  await refused({ ...found, categories: found.categories.slice(1) }, /its own categories but received 1/);
  await refused(
    { ...found, annotations: truth.annotations },
    /annotations\[0\].score: expected a finite number/,
  );
  const twice = { ...truth, categories: truth.categories.map(({ id }) => ({ id, name: 'dog' })) };
  await refused(found, /distinct names in .* but dog is there twice/, write(twice));
  // Ids alone need no names.
  t.is((await evaluateCocoFiles(write(twice), write(listOf(truth)), 'bbox')).stats[0], 1);
});

test('boxes need neither file names nor sizes of the ground truth, masks need sizes', async (t) => {
  const truth = groundTruth();
  const list = write(listOf(truth));
  const nameless = truth.images.map(({ file_name: _, ...image }) => image);
  const sizeless = truth.images.map(({ id, file_name }) => ({ id, file_name }));
  for (const kind of ['segm', 'bbox'] as const) {
    t.is((await evaluateCocoFiles(write({ ...truth, images: nameless }), list, kind)).stats[0], 1);
  }
  const bare = write({ ...truth, images: sizeless });
  t.is((await evaluateCocoFiles(bare, list, 'bbox')).stats[0], 1);
  await t.throwsAsync(evaluateCocoFiles(bare, list, 'segm'), {
    code: 'ERR_NLRCNN_DATASET',
    message: /Annotation 1 .* images\[0\]: expected width and height/,
  });
  // Results with file names of their own are then matched by id.
  const ids = { ...truth, annotations: truth.annotations.map((one, i) => ({ ...one, score: 1 - i / 10 })) };
  t.is((await evaluateCocoFiles(write({ ...truth, images: nameless }), write(ids), 'bbox')).stats[0], 1);
});

test('nlrcnn eval: notes are on standard error, equal names of classes stay apart', async (t) => {
  const truth = groundTruth();
  const twice = { ...truth, categories: truth.categories.map(({ id }) => ({ id, name: 'dog' })) };
  const unknown = write([...listOf(truth), { ...listOf(truth)[0]!, category_id: 9, score: 0.99 }]);
  const { code, stdout, stderr } = await runCli(
    'eval',
    '--gt',
    write(twice),
    '--results',
    unknown,
    '--type',
    'segm,bbox',
    '--json',
  );
  t.is(code, 0);
  t.regex(stderr, /^nlrcnn: .*no category of id 9: 1 detections .*\n$/);
  t.deepEqual(Object.keys(JSON.parse(stdout).perClass.segm), ['dog (id 3)', 'dog (id 5)']);
});
