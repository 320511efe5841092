import test from 'ava';
import ndarray from 'ndarray';
import sharp from 'sharp';
import * as masks from '../../dist/index.js';
import { compressCounts, decompressCounts } from '../../dist/masks/runs.js';

type Size = [number, number];

/** Milliseconds that a call may take on a machine however slow; before, those of these tests took minutes or gigabytes. */
const GENEROUS = 20_000;

function timed<T>(work: () => T): { value: T; milliseconds: number } {
  const started = performance.now();
  const value = work();
  return { value, milliseconds: performance.now() - started };
}

/** A generator of 0 … 1, the same each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

function noise(height: number, width: number, part: number): Uint8Array {
  const next = random(height * width);
  return Uint8Array.from({ length: height * width }, () => Number(next() < part));
}

test('a corner far outside costs no more than one near by and leaves the same pixels', (t) => {
  const size: Size = [28, 28];
  const near = masks.rleFromPolygons([[5, 5, 1e5, 5, 1e5, 20, 5, 20]], size); // pycocotools' a4?=0000…
  t.is(near.counts, `a4?=${'0'.repeat(43)}K`);
  for (const far of [1e6, 1e7, 9.9e7]) {
    const { value, milliseconds } = timed(() =>
      masks.rleFromPolygons([[5, 5, far, 5, far, 20, 5, 20]], size),
    );
    t.deepEqual(value, near, String(far));
    t.true(milliseconds < GENEROUS);
  }
  // Steep, flat, and around all of the image.
  const reach = 9.9e7;
  const around = [-reach, -reach, reach, -reach, reach, reach, -reach, reach];
  t.is(masks.rleArea(masks.rleFromPolygons([around], size)), 28 * 28);
  t.is(masks.rleArea(masks.rleFromPolygons([[0, -reach, 14, -reach, 14, reach, 0, reach]], size)), 14 * 28);
  t.is(masks.rleArea(masks.rleFromPolygons([[-reach, 7, reach, 7, reach, 14, -reach, 14]], size)), 7 * 28);
  t.is(masks.rleArea(masks.rleFromBbox([-4e7, -4e7, 8e7, 8e7], size)), 28 * 28);
});

test('numbers that are not finite are refused', (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (let at = 0; at < 6; at++) {
      const polygon = [1, 2, 3, 4, 5, 0];
      polygon[at] = value;
      t.throws(() => masks.rleFromPolygons([polygon], [9, 9]), { code: 'ERR_NLRCNN_ARGUMENT' });
    }
  }
});

test('a large polygon of one image and one of many corners are drawn in time', (t) => {
  const next = random(3);
  const corners = Array.from({ length: 40_000 }, () => 300 * next() - 20);
  const { milliseconds } = timed(() => masks.rleFromPolygons([corners], [256, 256]));
  t.true(milliseconds < GENEROUS);
  const wide = timed(() => masks.rleFromBbox([0, 0, 2_000_000, 1], [1, 2_000_000]));
  t.is(masks.rleArea(wide.value), 2_000_000);
  t.true(wide.milliseconds < GENEROUS);
});

test('runs of length zero, as many as there may be, cost their count', (t) => {
  const counts = `${'0'.repeat(2_000_001)}1`;
  const rle = { size: [1, 1] as Size, counts };
  t.is(masks.rleArea(rle), 1);
  t.deepEqual(masks.rleToBbox(rle), [0, 0, 1, 1]);
  t.is(masks.mergeRles([rle, rle]).counts, '01');
  t.is(masks.rleIou([rle], [rle]).data[0], 1);
  t.is(masks.decodeRle(rle).data[0], 1);
});

test('more pairs than memory holds are refused before they are computed', (t) => {
  const rle = { size: [2, 2] as Size, counts: '04' };
  const many = Array.from({ length: 100_000 }, () => rle);
  t.throws(() => masks.rleIou(many, many), {
    code: 'ERR_NLRCNN_OUT_OF_MEMORY',
    message: 'Expected at most 2^28 pairs of masks but received 100000 × 100000',
  });
});

test('lengths of runs beyond int32 survive being compressed', (t) => {
  const cases: { counts: number[]; size: Size }[] = [
    { counts: [0, 2 ** 32 - 65536], size: [65535, 65536] },
    { counts: [3_000_000_000, 1, 0, 1_000_000_000], size: [1, 4_000_000_001] },
    { counts: [1, 3_000_000_000, 1_000_000_000, 2, 1, 3], size: [1, 4_000_000_007] },
  ];
  for (const { counts, size } of cases) {
    const text = compressCounts(counts);
    t.deepEqual(decompressCounts({ counts: text, size }), counts);
    const ones = counts.reduce((sum, count, i) => sum + (i % 2 ? count : 0), 0);
    t.is(masks.rleArea({ counts: text, size }), ones);
  }
});

test('the pieces and holes of noise are found in time, and cover it', (t) => {
  for (const [side, part] of [
    [700, 0.7],
    [300, 0.5],
    [300, 0.4],
  ] as const) {
    const bitmap = noise(side, side, part);
    const rle = masks.encodeRle(ndarray(bitmap, [side, side]));
    const { value: polygons, milliseconds } = timed(() => masks.toPolygons(rle));
    t.true(milliseconds < GENEROUS);
    t.true(polygons.length > 100);
    const again = new Uint8Array(side * side);
    for (const { exterior, holes } of polygons)
      for (const ring of [exterior, ...holes]) toggle(again, side, ring);
    t.true(Buffer.from(again).equals(bitmap));
  }
});

/** Toggles the pixels inside of a ring along the edges of pixels, row by row. */
function toggle(bitmap: Uint8Array, side: number, ring: number[]): void {
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    const [x, y1, y2] = [ring[i]!, ring[i + 1]!, ring[j + 1]!];
    if (ring[j] !== x) continue;
    for (let y = Math.min(y1, y2); y < Math.max(y1, y2); y++)
      for (let px = x; px < side; px++) bitmap[y * side + px]! ^= 1;
  }
}

test('a hole belongs to the piece around it, not to one around that', (t) => {
  const rows = ['#######', '#.....#', '#.###.#', '#.#.#.#', '#.###.#', '#.....#', '#######'];
  const bitmap = Uint8Array.from(rows.join(''), (c) => Number(c === '#'));
  const polygons = masks.toPolygons(masks.encodeRle(ndarray(bitmap, [7, 7])));
  t.deepEqual(polygons, [
    { exterior: [7, 0, 7, 7, 0, 7, 0, 0], holes: [[6, 6, 6, 1, 1, 1, 1, 6]] },
    { exterior: [5, 2, 5, 5, 2, 5, 2, 2], holes: [[4, 4, 4, 3, 3, 3, 3, 4]] },
  ]);
});

const detection = (box: [number, number, number, number], mask?: masks.Rle) => ({
  label: 'cell',
  labelId: 1,
  score: 0.9,
  box,
  ...(mask && { mask }),
});

const segmentation = (
  width: number,
  height: number,
  detections: ReturnType<typeof detection>[],
): masks.Segmentation => ({ width, height, detections, milliseconds: { decode: 0, network: 0, total: 0 } });

test('label maps are what the masks say, and refuse masks of another size', (t) => {
  const full = masks.encodeRle(ndarray(noise(5, 4, 0.6), [5, 4]));
  const other = masks.encodeRle(ndarray(noise(4, 5, 0.5), [4, 5]));
  const second = { size: [5, 4] as Size, counts: '0d0' };
  const first = masks.decodeRle(full).data;
  const map = masks.toLabelMap(
    segmentation(4, 5, [detection([0, 0, 4, 5], full), detection([0, 0, 4, 5], second)]),
  );
  t.deepEqual(
    Array.from(map.data),
    Array.from(first, (v) => (v ? 1 : 2)),
  );
  const wrong = segmentation(4, 5, [detection([0, 0, 4, 5], other)]);
  t.throws(() => masks.toLabelMap(wrong), { code: 'ERR_NLRCNN_SHAPE' });
});

test('overlays of boxes far outside end, and masks of another size are refused', async (t) => {
  const image = { data: new Uint8Array(3 * 20 * 30).fill(90), width: 30, height: 20, channels: 3 as const };
  const far: [number, number, number, number][] = [
    [-1e12, -1e12, 1e12, 1e12],
    [1e12, 1e12, 2e12, 2e12],
    [Number.NaN, 0, 5, 5],
    [5, 5, Number.POSITIVE_INFINITY, 9],
  ];
  const mask = masks.encodeRle(ndarray(new Uint8Array(600).fill(1), [20, 30]));
  for (const each of [undefined, mask]) {
    const detections = far.map((box) => detection(box, each));
    const drawn = await masks.drawOverlay(image, segmentation(30, 20, detections), { scale: 2 });
    const { width, height } = await sharp(drawn).metadata();
    t.deepEqual([width, height], [60, 40]);
  }
  const other = masks.encodeRle(ndarray(new Uint8Array(600).fill(1), [30, 20]));
  const wrong = segmentation(30, 20, [detection([0, 0, 9, 9], other)]);
  await t.throwsAsync(masks.drawOverlay(image, wrong), { code: 'ERR_NLRCNN_SHAPE' });
  for (const scale of [Number.NaN, 0, -1, 1e9]) {
    await t.throwsAsync(masks.drawOverlay(image, segmentation(30, 20, []), { scale }), {
      code: 'ERR_NLRCNN_ARGUMENT',
    });
  }
});
