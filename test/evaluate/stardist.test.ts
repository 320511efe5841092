import test from 'ava';
import { evaluateStardist, STARDIST_IOUS } from '../../dist/evaluate/stardist.js';
import type { Rle } from '../../dist/masks/rle.js';
import { rectangle } from '../helpers/rectangle.js';

const [HEIGHT, WIDTH] = [20, 40];
const mask = rectangle(HEIGHT, WIDTH);

const picture = (truths: Rle[], found: [Rle, number][]) => ({
  height: HEIGHT,
  width: WIDTH,
  truths,
  found: found.map(([mask, score]) => ({ mask, score })),
});

test('TP / (TP + FP + FN), summed over pictures', (t) => {
  const [a, b] = [mask(0, 0, 10, 10), mask(20, 0, 10, 10)];
  // IoU 80 / 100 with a; b is missed; one detection is of nothing. Then a picture where all is found.
  const first = picture(
    [a, b],
    [
      [mask(0, 0, 8, 10), 0.9],
      [mask(12, 10, 5, 5), 0.8],
    ],
  );
  const second = picture([a], [[a, 0.7]]);
  const found = evaluateStardist([first, second]);
  t.deepEqual(Object.keys(found), STARDIST_IOUS);
  t.is(found['0.50'], 2 / 4);
  t.is(found['0.80'], 2 / 4);
  t.is(found['0.85'], 1 / 5);
});

test('the higher score keeps a pixel, pieces below ten pixels go, low scores do not count', (t) => {
  const a = mask(0, 0, 10, 10);
  const over = evaluateStardist([
    picture(
      [a],
      [
        [mask(1, 0, 10, 10), 0.6],
        [a, 0.9],
      ],
    ),
  ]);
  // What is left of the second is a column of ten pixels: a false positive; one row less and it is dropped.
  t.is(over['0.90'], 1 / 2);
  const cut = picture(
    [a],
    [
      [mask(1, 0, 10, 9), 0.6],
      [a, 0.9],
    ],
  );
  t.is(evaluateStardist([cut])['0.90'], 1);
  t.is(evaluateStardist([picture([a], [[a, 0.5]])])['0.50'], 0);
  t.is(evaluateStardist([picture([a], [[a, 0.4]])], 0.3)['0.50'], 1);
});

test('at IoU .50 two halves are one match; empty pictures count nothing', (t) => {
  const halves: [Rle, number][] = [
    [mask(0, 0, 5, 10), 0.9],
    [mask(5, 0, 5, 10), 0.8],
  ];
  t.is(evaluateStardist([picture([mask(0, 0, 10, 10)], halves)])['0.50'], 1 / 2);
  t.is(evaluateStardist([picture([], [])])['0.50'], 0);
  t.is(evaluateStardist([picture([], halves)])['0.50'], 0);
});
