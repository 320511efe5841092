import test from 'ava';
import { type CityscapesPicture, evaluateCityscapes } from '../../dist/evaluate/cityscapes.js';
import { readJson } from '../helpers/model-cases.js';
import { rectangle } from '../helpers/rectangle.js';

interface Case {
  name: string;
  categories: number[];
  pictures: CityscapesPicture[];
  expected: { AP: number; AP50: number; perClass: Record<string, { AP: number; AP50: number }> };
}

const CASES = readJson('fixtures', 'cityscapes-eval.json') as Case[];
const close = (a: number, b: number) => Math.abs(a - b) <= 1e-9;

for (const { name, categories, pictures, expected } of CASES) {
  test(`${name}: the benchmark's numbers, groups and void left out`, (t) => {
    const found = evaluateCityscapes(pictures, categories);
    t.true(close(found.AP, expected.AP), `AP ${found.AP}, expected ${expected.AP}`);
    t.true(close(found.AP50, expected.AP50), `AP50 ${found.AP50}, expected ${expected.AP50}`);
    t.deepEqual(
      found.perClass.map(({ category }) => String(category)),
      Object.keys(expected.perClass),
    );
    for (const { category, AP, AP50 } of found.perClass) {
      const wanted = expected.perClass[category]!;
      t.true(close(AP, wanted.AP) && close(AP50, wanted.AP50), `category ${category}`);
    }
  });
}

const mask = rectangle(60, 60);

test('a perfect result has AP 1; what lies on an ignored region or a group does not count', (t) => {
  const truths = [
    { category: 1, mask: mask(0, 0, 20, 20), group: false },
    { category: 1, mask: mask(30, 0, 30, 30), group: true },
  ];
  const found = [
    { category: 1, score: 0.5, mask: mask(0, 0, 20, 20) },
    { category: 1, score: 0.9, mask: mask(32, 2, 10, 10) },
    { category: 1, score: 0.8, mask: mask(0, 40, 10, 10) },
  ];
  const ignored = mask(0, 35, 60, 25);
  t.true(close(evaluateCityscapes([{ truths, found, ignored }], [1]).AP, 1));
  // Without the ignored region the third is false, at a better score than the right one.
  t.true(evaluateCityscapes([{ truths, found }], [1]).AP < 0.8);
});

test('nothing to measure is NaN', (t) => {
  t.deepEqual(evaluateCityscapes([], [1]), { AP: Number.NaN, AP50: Number.NaN, perClass: [] });
});
