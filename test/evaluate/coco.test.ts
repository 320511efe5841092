import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { evaluateCoco } from '../../dist/evaluate/coco.js';
import { evaluateCocoFiles } from '../../dist/evaluate/coco-files.js';
import { readJson } from '../helpers/model-cases.js';

interface Expected {
  stats: number[];
  perClass: Record<string, { AP: number; AP50: number }>;
}

const ROOT = join(__dirname, '..', '..');
const FOLDER = join(ROOT, 'test', 'fixtures', 'coco-eval');
const EXPECTED = readJson('fixtures', 'coco-eval', 'expected.json') as Record<
  string,
  Record<'segm' | 'bbox', Expected>
>;
const file = (name: string, kind: 'gt' | 'results') => join(FOLDER, `${name}.${kind}.json`);
const close = (a: number, b: number) => Math.abs(a - b) <= 1e-9;

for (const [name, kinds] of Object.entries(EXPECTED)) {
  for (const kind of ['segm', 'bbox'] as const) {
    test(`${name} ${kind}: all numbers are those of pycocotools`, async (t) => {
      const found = await evaluateCocoFiles(file(name, 'gt'), file(name, 'results'), kind);
      const { stats, perClass } = kinds[kind];
      for (const [i, value] of stats.entries()) t.true(close(found.stats[i]!, value), `number ${i}`);
      t.is(found.perClass.length, Object.keys(perClass).length);
      for (const { category, AP, AP50 } of found.perClass) {
        const wanted = perClass[found.categories.get(category)!]!;
        t.true(close(AP, wanted.AP) && close(AP50, wanted.AP50), `category ${category}`);
      }
    });
  }
}

test('of more objects than count, the rest is missed; `most` lets them count', (t) => {
  const objects = Array.from({ length: 150 }, (_, i) => ({
    category: 1,
    bbox: [10 * i, 0, 8, 8],
    area: 64,
    crowd: false,
    score: 1 - i / 1000,
  }));
  const pictures = [{ truths: objects, found: objects }];
  t.true(close(evaluateCoco(pictures, [1], 'bbox').stats[8]!, 100 / 150));
  t.true(close(evaluateCoco(pictures, [1], 'bbox', [1, 10, 1000]).stats[8]!, 1));
  t.true(close(evaluateCoco(pictures, [1], 'bbox', [1, 10, 1000]).stats[0]!, 1));
});

test('nothing to measure is -1', (t) => {
  t.deepEqual(evaluateCoco([], [1], 'bbox').stats, new Array<number>(12).fill(-1));
  t.deepEqual(evaluateCoco([], [1], 'bbox').perClass, []);
});

const cli = join(ROOT, 'dist', 'cli', 'main.js');

test('nlrcnn eval prints the numbers, and says in a line what is wrong', (t) => {
  const good = ['eval', '--gt', file('mixed', 'gt'), '--results', file('mixed', 'results')];
  const text = execFileSync(process.execPath, [cli, ...good, '--type', 'segm,bbox', '--json'], {
    encoding: 'utf8',
  });
  const report = JSON.parse(text) as Record<'segm' | 'bbox', number[]>;
  t.true(report.bbox.every((value, i) => close(value, EXPECTED.mixed!.bbox.stats[i]!)));
  t.is(report.segm.length, 12);
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  const fails = (args: string[], status: number, message: RegExp) => {
    const { status: code, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
    t.is(code, status);
    t.regex(stderr, message);
    t.is(stderr.trim().split('\n').length, 1);
  };
  const results = (entries: unknown) => {
    const path = join(folder, 'results.json');
    writeFileSync(path, JSON.stringify(entries));
    return ['eval', '--gt', file('mixed', 'gt'), '--results', path];
  };
  const entry = { image_id: 7, category_id: 1, score: 0.5, bbox: [0, 0, 5, 5] };
  fails(results([{ ...entry, image_id: 8 }]), 1, /Detection 0 .* id of a picture .* received 8/);
  fails(
    results([{ ...entry, score: 'high' }]),
    1,
    /detections\[0\]\.score: expected a finite number but received "high"/,
  );
  fails(results([{ ...entry, segmentation: { size: [1, 1], counts: 'x' } }]), 1, /Detection 0 .* size/);
  fails(results({}), 1, /no list of detections/);
  fails(['eval', '--gt', file('mixed', 'gt')], 2, /Expected both --gt and --results/);
  fails(['eval'], 2, /either --gt and --results or --data/);
  fails([...good, '--type', 'keypoints'], 2, /--type of segm, bbox/);
});
