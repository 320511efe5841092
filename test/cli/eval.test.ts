import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { CocoDataset, CocoResult } from '../../dist/index.js';
import { runCli } from '../helpers/run-node.js';

const SAMPLES = join(__dirname, '..', '..', 'models', 'samples');
const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const json = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;

/** Images of one name in two folders, of other sizes. */
function images(): { folder: string; paths: string[] } {
  const folder = fresh();
  const paths = (['touching.png', 'x', 'sparse.png', 'y'] as const).flatMap((name, i, all) => {
    if (i % 2 === 1) return [];
    const place = join(folder, all[i + 1]!);
    mkdirSync(place);
    copyFileSync(join(SAMPLES, name), join(place, 'img.png'));
    return [join(place, 'img.png')];
  });
  return { folder, paths };
}

const segment = (paths: string[], out: string, ...more: string[]) =>
  runCli('segment', ...paths, '--format', 'coco', '--out', out, '--device', 'cpu', ...more);

/** Ground truth of what was found, under other ids and beside another class. */
function truthOf(found: CocoDataset) {
  const id = (image: number) => 40 + 7 * image;
  return {
    images: found.images.map((image) => ({ ...image, id: id(image.id) })),
    categories: [
      { id: 3, name: 'cell' },
      { id: 9, name: 'nucleus' },
    ],
    annotations: found.annotations.map(({ score: _, ...one }) => ({
      ...one,
      image_id: id(one.image_id as number),
      category_id: 9,
    })),
  };
}

test('what segment writes for coco is scored by eval, as a data set and with the ids of --gt', async (t) => {
  const { folder, paths } = images();
  const out = join(folder, 'out');
  const { code, stderr } = await segment([...paths, paths[0]!], out, '--score', '0.5');
  t.is(code, 0, stderr);
  const file = join(out, 'coco-results.json');
  const found = json<CocoDataset>(file);
  t.deepEqual(Object.keys(found), ['info', 'licenses', 'images', 'categories', 'annotations']);
  t.deepEqual(found.images, [
    { id: 1, file_name: 'x/img.png', width: 256, height: 256 },
    { id: 2, file_name: 'y/img.png', width: 696, height: 520 },
  ]);
  t.deepEqual(found.categories, [{ id: 1, name: 'nucleus' }]);
  t.deepEqual(
    found.annotations.map(({ id }) => id),
    found.annotations.map((_, i) => i + 1),
  );
  const sizes = new Map(found.images.map(({ id, width, height }) => [id, [height, width]]));
  for (const one of found.annotations) {
    t.deepEqual(one.segmentation!.size, sizes.get(one.image_id as number) as [number, number]);
    t.true(one.area > 0 && one.iscrowd === 0 && one.score >= 0.5 && one.category_id === 1);
  }
  const gt = join(folder, 'gt.json');
  writeFileSync(gt, JSON.stringify(truthOf(found)));
  // As ground truth and results of itself; then against other ids.
  for (const truth of [file, gt]) {
    const scored = await runCli('eval', '--gt', truth, '--results', file, '--type', 'segm,bbox', '--json');
    t.is(scored.code, 0, scored.stderr);
    const { segm, bbox } = JSON.parse(scored.stdout);
    t.deepEqual([segm[0], bbox[0]], [1, 1]);
  }
  const list = await segment(paths, join(folder, 'list'), '--score', '0.5', '--gt', gt);
  t.is(list.code, 0, list.stderr);
  t.regex(list.stderr, /the model has no cell of .*gt\.json/);
  const results = json<CocoResult[]>(folder, 'list', 'coco-results.json');
  t.is(results.length, found.annotations.length);
  t.deepEqual([...new Set(results.map(({ image_id }) => image_id))], [47, 54]);
  t.true(results.every(({ category_id }) => category_id === 9));
  const scored = await runCli(
    'eval',
    '--gt',
    gt,
    '--results',
    join(folder, 'list', 'coco-results.json'),
    '--json',
  );
  t.is(JSON.parse(scored.stdout).segm[0], 1);
});

test('--gt: images and classes that it does not have are named before any work', async (t) => {
  const { folder, paths } = images();
  const out = join(folder, 'out');
  const gt = (names: string[], categories = ['nucleus']) => {
    const path = join(folder, 'gt.json');
    const listed = names.map((file_name, i) => ({ id: i + 1, file_name, width: 1, height: 1 }));
    const classes = categories.map((name, i) => ({ id: i + 1, name }));
    writeFileSync(path, JSON.stringify({ images: listed, annotations: [], categories: classes }));
    return path;
  };
  const cases: [number, string, RegExp][] = [
    [1, gt(['x/img.png']), /x\/img\.png and .*y\/img\.png are both x\/img\.png \(id 1\)/],
    [1, join(folder, 'none.json'), /none\.json cannot be read/],
  ];
  for (const [expected, file, message] of cases) {
    const { code, stderr } = await segment(paths, out, '--gt', file);
    t.is(code, expected);
    t.regex(stderr, message);
    t.is(stderr.trim().split('\n').length, 1);
  }
  const missing = await segment(paths, out, '--gt', gt(['a.png', 'b.png']));
  t.regex(missing.stderr, /x\/img\.png .* none has that name/);
  const unclear = await segment(
    [join(SAMPLES, 'sparse.png')],
    out,
    '--gt',
    gt(['a/sparse.png', 'b/sparse.png']),
  );
  t.regex(unclear.stderr, /could be meant/);
  const classes = await segment(paths, out, '--gt', gt(['x/img.png', 'y/img.png'], ['cell', 'dog']));
  t.is(classes.code, 1);
  t.regex(classes.stderr, /Expected classes of .*gt\.json \(cell, dog\) but the model has nucleus/);
  const useless = await runCli('segment', paths[0]!, '--gt', 'gt.json');
  t.is(useless.code, 2);
  t.regex(useless.stderr, /--format with coco for --gt/);
});

test('eval --data matches classes by name; one that the model lacks is named or left out', async (t) => {
  const folder = fresh();
  mkdirSync(join(folder, 'val'));
  copyFileSync(join(SAMPLES, 'touching.png'), join(folder, 'val', 'img.png'));
  const { code, stderr } = await segment([join(folder, 'val', 'img.png')], folder);
  t.is(code, 0, stderr);
  const truth = truthOf(json<CocoDataset>(folder, 'coco-results.json'));
  mkdirSync(join(folder, 'annotations'));
  const write = (value: unknown) =>
    writeFileSync(join(folder, 'annotations', 'instances_val.json'), JSON.stringify(value));
  const evaluate = (...more: string[]) =>
    runCli(
      'eval',
      '--data',
      folder,
      '--format',
      'coco',
      '--split',
      'val',
      '--json',
      '--device',
      'cpu',
      ...more,
    );
  write(truth);
  const refused = await evaluate();
  t.is(refused.code, 1);
  t.regex(refused.stderr, /classes of the model \(nucleus\) but the data set has cell: .*--ignore-classes/);
  const scored = await evaluate('--ignore-classes', 'cell', '--metric', 'coco,stardist');
  t.is(scored.code, 0, scored.stderr);
  const { segm, stardist } = JSON.parse(scored.stdout);
  t.is(segm[0], 1);
  t.true(stardist['0.50'] > 0.9);
  const unknown = await evaluate('--ignore-classes', 'zebra');
  t.regex(unknown.stderr, /classes of the data set \(cell, nucleus\) to leave out but received zebra/);
  // The only class under another id, and under another name.
  write({ ...truth, categories: truth.categories.slice(1) });
  t.is(JSON.parse((await evaluate()).stdout).segm[0], 1);
  write({ ...truth, categories: [{ id: 9, name: 'cell' }] });
  t.is((await evaluate()).code, 1);
});

test('eval --data: label maps are of the model’s class, or of the one that is named', async (t) => {
  const folder = fresh();
  for (const part of ['images', 'labels']) mkdirSync(join(folder, 'val', part), { recursive: true });
  copyFileSync(join(SAMPLES, 'touching.png'), join(folder, 'val', 'images', 'img.png'));
  const { code } = await runCli('segment', join(SAMPLES, 'touching.png'), '--format', 'png', '--out', folder);
  t.is(code, 0);
  copyFileSync(join(folder, 'touching.labels.png'), join(folder, 'val', 'labels', 'img.png'));
  const evaluate = (...more: string[]) =>
    runCli(
      'eval',
      '--data',
      folder,
      '--format',
      'labelmaps',
      '--split',
      'val',
      '--json',
      '--device',
      'cpu',
      ...more,
    );
  const { stdout, stderr } = await evaluate();
  t.true(JSON.parse(stdout).segm[1] > 0.9, stderr);
  const other = await evaluate('--class-name', 'cell');
  t.is(other.code, 1);
  t.regex(other.stderr, /\(nucleus\) but the data set has cell: .*--class-name/);
});
