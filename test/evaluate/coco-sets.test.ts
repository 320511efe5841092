import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { evaluateCocoFiles } from '../../dist/evaluate/coco-files.js';
import { arange, linspace, mean } from '../../dist/evaluate/numpy.js';
import { COCO_SETS, cocoFiles, cocoSet } from '../helpers/coco-sets.js';
import { loadGoldens } from '../helpers/goldens.js';
import { unit } from '../helpers/random.js';

const GOLDENS = loadGoldens('coco_sets');

for (const kind of ['segm', 'bbox'] as const) {
  test(`${kind}: the numbers of ${COCO_SETS} random sets are pycocotools', to the bit`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
    const [gt, results] = ['gt.json', 'results.json'].map((name) => join(folder, name)) as [string, string];
    const stats = GOLDENS.get(`${kind}.stats`)!;
    const classes = GOLDENS.get(`${kind}.classes`)!;
    t.deepEqual(stats.shape, [COCO_SETS, 12]);
    let row = 0;
    for (let i = 0; i < COCO_SETS; i++) {
      const made = cocoSet(i);
      const files = cocoFiles(made, kind);
      writeFileSync(gt, JSON.stringify(files.gt));
      writeFileSync(results, JSON.stringify(files.results));
      const found = await evaluateCocoFiles(gt, results, kind);
      t.deepEqual(found.stats, Array.from(stats.data.slice(12 * i, 12 * i + 12), Number), `set ${i}`);
      const perClass = new Map(found.perClass.map(({ category, AP, AP50 }) => [category, [AP, AP50]]));
      for (let category = 1; category <= made.categories; category++, row++) {
        const expected = Array.from(classes.data.slice(2 * row, 2 * row + 2), Number);
        t.deepEqual(perClass.get(category) ?? [-1, -1], expected, `set ${i}, category ${category}`);
      }
    }
    t.is(row, classes.shape[0]!);
  });
}

test('thresholds have the bits of numpy', (t) => {
  // What numpy 2.4.1 prints.
  const ious = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95];
  t.deepEqual([...linspace(0.5, 0.95, 10)], ious);
  const recalls = linspace(0, 1, 101);
  const above = [...recalls.keys()].filter((i) => recalls[i] !== i / 100);
  t.deepEqual(above, [35, 41, 47, 57, 69, 70, 82, 83, 94, 95]);
  t.true(above.every((i) => recalls[i]! === 0.01 * i));
  t.deepEqual(
    [...arange(0.5, 1, 0.05)],
    [
      0.5, 0.55, 0.6000000000000001, 0.6500000000000001, 0.7000000000000002, 0.7500000000000002,
      0.8000000000000003, 0.8500000000000003, 0.9000000000000004, 0.9500000000000004,
    ],
  );
});

test('means are added up as numpy does', (t) => {
  // numpy.mean(unit(5, n) / 3) of test/goldens/prng.py
  const expected = [
    [1, 0.2769896586736043],
    [7, 0.18290260576066517],
    [8, 0.17860068877538043],
    [13, 0.19674152900011113],
    [128, 0.18578521627932787],
    [129, 0.18638991000424365],
    [1000, 0.16837096134821572],
    [4097, 0.16701532748666717],
  ] as const;
  for (const [count, value] of expected)
    t.is(
      mean(
        unit(5, count).map((v) => v / 3),
        -1,
      ),
      value,
      `${count}`,
    );
  t.is(mean(new Float64Array(0), -1), -1);
});
