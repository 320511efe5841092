import ndarray from '../../../node_modules/ndarray/ndarray.js';
import { anything, Data, mostly } from '../data.mjs';
import { ensure } from '../findings.mjs';
import { load } from '../package.mjs';

const { encodeRle, decodeRle, rleArea, rleToBbox, mergeRles, rleIou } = load('index.js');
const { compressCounts, decompressCounts } = load('masks/runs.js');

const side = (data) =>
  data.oneIn(40) ? data.pick([0, -1, 1.5, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 53, Number.NaN]) : 1 + data.int(40);
const sizeOf = (data) => [side(data), side(data)];

/** Text of run lengths: random characters, or of lengths that cover the size or nearly. */
function countsOf(data, [height, width]) {
  const whole =
    Number.isInteger(height) && Number.isInteger(width) && height * width >= 0 && height * width < 2 ** 40;
  if (data.oneIn(4) || !whole) return data.take(data.int(24)).toString('latin1');
  const counts = [];
  let left = height * width;
  for (let i = data.int(12); i > 0; i--) {
    const run = data.oneIn(6) ? 0 : data.int(Math.min(2000, left + 1) || 1);
    counts.push(run);
    left -= run;
  }
  counts.push(data.oneIn(8) ? left + data.int(5) - 2 : left);
  return compressCounts(counts);
}

/** An RLE that is mostly sound; parts of it are now and then anything. */
function rleOf(data, size = sizeOf(data)) {
  if (data.oneIn(30)) return anything(data);
  return { size: mostly(data, size, 40), counts: mostly(data, () => countsOf(data, size), 40) };
}

function bitmapOf(data) {
  const [height, width] = [data.int(30), data.int(30)];
  if (data.oneIn(10)) return anything(data);
  if (data.oneIn(10))
    return { shape: anything(data), stride: [1, 1], offset: 0, data: anything(data), get: () => 1 };
  const values = Uint8Array.from({ length: height * width }, () =>
    data.oneIn(3) ? data.byte() : data.byte() & 1,
  );
  const map = ndarray(values, [height, width]);
  return data.oneIn(3) ? map.transpose(1, 0) : data.oneIn(4) ? map.step(-1, 1) : map;
}

const CALLS = [
  (data) => {
    const map = bitmapOf(data);
    const rle = encodeRle(map);
    const back = decodeRle(rle);
    ensure(back.shape[0] === map.shape[0] && back.shape[1] === map.shape[1], 'encodeRle changes the shape');
    let area = 0;
    for (let y = 0; y < map.shape[0]; y++) {
      for (let x = 0; x < map.shape[1]; x++) {
        area += map.get(y, x) ? 1 : 0;
        ensure(back.get(y, x) === (map.get(y, x) ? 1 : 0), 'decodeRle(encodeRle(b)) is not b');
      }
    }
    ensure(rleArea(rle) === area, 'rleArea is not the sum of the bitmap');
  },
  (data) => {
    const rle = rleOf(data);
    const map = decodeRle(rle);
    const [height, width] = rle.size;
    ensure(map.data.length === height * width, 'decodeRle of another size');
    let [left, top, right, bottom, area] = [width, height, 0, 0, 0];
    for (let i = 0; i < map.data.length; i++) {
      if (!map.data[i]) continue;
      area++;
      const [x, y] = [i % width, Math.floor(i / width)];
      [left, right, top, bottom] = [
        Math.min(left, x),
        Math.max(right, x + 1),
        Math.min(top, y),
        Math.max(bottom, y + 1),
      ];
    }
    ensure(rleArea(rle) === area, 'rleArea and decodeRle do not agree');
    const box = rleToBbox(rle);
    const expected = area > 0 ? [left, top, right - left, bottom - top] : [0, 0, 0, 0];
    ensure(area === 0 || String(box) === String(expected), () => `rleToBbox gives ${box}, not ${expected}`);
    const again = encodeRle(map);
    ensure(
      decodeRle(again).data.every((value, i) => value === map.data[i]),
      'encodeRle(decodeRle(r)) is another mask',
    );
  },
  (data) => rleArea(rleOf(data)),
  (data) => rleToBbox(rleOf(data)),
  (data) => {
    const size = sizeOf(data);
    const rles = data.oneIn(20)
      ? anything(data)
      : data.list(4, () => rleOf(data, data.oneIn(10) ? sizeOf(data) : size));
    const intersect = data.oneIn(2);
    const merged = decodeRle(
      data.oneIn(20) ? mergeRles(rles, anything(data)) : mergeRles(rles, { intersect }),
    ).data;
    const maps = rles.map((rle) => decodeRle(rle).data);
    const both = (i) => (intersect ? maps.every((map) => map[i]) : maps.some((map) => map[i]));
    if (merged.length < 2000)
      ensure(
        merged.every((value, i) => intersect === undefined || value === Number(both(i)) || value <= 1),
        'mergeRles',
      );
  },
  (data) => {
    const size = sizeOf(data);
    const list = () =>
      data.oneIn(20) ? anything(data) : data.list(3, () => rleOf(data, data.oneIn(10) ? sizeOf(data) : size));
    const [a, b] = [list(), list()];
    const ious = data.oneIn(3)
      ? rleIou(
          a,
          b,
          mostly(data, () => data.list(4, () => data.oneIn(2)), 5),
        )
      : rleIou(a, b);
    ensure(
      ious.data.every((value) => value >= 0 && value <= 1),
      () => `rleIou gives ${ious.data}`,
    );
  },
  (data) => {
    const rle = rleOf(data);
    const expected = decodeRle(rle).data;
    const counts = decompressCounts(rle);
    const map = decodeRle({ size: rle.size, counts: compressCounts(counts) });
    ensure(
      expected.every((value, i) => value === map.data[i]),
      'the two readers of run lengths do not agree',
    );
  },
  (data) =>
    [encodeRle, decodeRle, rleArea, rleToBbox, mergeRles, rleIou][data.int(6)](
      anything(data),
      anything(data),
      anything(data),
    ),
];

export const options = { maxLength: 600 };
export const seeds = () =>
  Array.from({ length: 8 }, (_, i) => Buffer.from([i, 5, 7, ...Buffer.from('062301340120310203'.repeat(2))]));

export function run(bytes) {
  const data = new Data(bytes);
  CALLS[data.int(CALLS.length)](data);
}
