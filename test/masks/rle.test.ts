import test from 'ava';
import ndarray from 'ndarray';
import * as masks from '../../dist/index.js';
import { readJson } from '../helpers/model-cases.js';

type Size = [number, number];
const goldens = readJson('goldens', 'rle.json') as {
  masks: { size: Size; bits: string; counts: string; area: number; bbox: number[] }[];
  pairs: {
    size: Size;
    counts: string[];
    crowd: number[];
    iou: number[][];
    union: string;
    intersection: string;
  }[];
  polygons: { size: Size; polygon: number[]; counts: string }[];
  boxes: { size: Size; bbox: number[]; counts: string }[];
};

test('encode, decode, area and bounding box are those of pycocotools', (t) => {
  for (const { size, bits, counts, area, bbox } of goldens.masks) {
    const [height, width] = size;
    const packed = Buffer.from(bits, 'base64');
    const data = Uint8Array.from(
      { length: height * width },
      (_, i) => (packed[i >> 3]! >> (7 - (i & 7))) & 1,
    );
    const bitmap = ndarray(data, [height, width]);
    t.deepEqual(masks.encodeRle(bitmap), { size, counts });
    t.deepEqual(masks.decodeRle({ size, counts }).data, data);
    t.is(masks.rleArea({ size, counts }), area);
    if (area > 0) t.deepEqual(masks.rleToBbox({ size, counts }), bbox as [number, number, number, number]);
    // A view that is not packed row by row gives the same.
    const transposed = Uint8Array.from(data, (_, i) => data[(i % height) * width + Math.floor(i / height)]!);
    t.is(masks.encodeRle(ndarray(transposed, [height, width], [1, height])).counts, counts);
  }
});

test('merge and IoU are those of pycocotools', (t) => {
  for (const { size, counts, crowd, iou, union, intersection } of goldens.pairs) {
    const rles = counts.map((text) => ({ size, counts: text }));
    t.deepEqual(Array.from(masks.rleIou(rles, rles, crowd.map(Boolean)).data), iou.flat());
    t.is(masks.mergeRles(rles.slice(0, 3)).counts, union);
    t.is(masks.mergeRles(rles.slice(0, 3), { intersect: true }).counts, intersection);
  }
});

test('polygons and boxes become the RLE of pycocotools', (t) => {
  for (const { size, polygon, counts } of goldens.polygons) {
    t.is(masks.rleFromPolygons([polygon], size).counts, counts, JSON.stringify(polygon));
  }
  for (const { size, bbox, counts } of goldens.boxes) t.is(masks.rleFromBbox(bbox, size).counts, counts);
});

test('polygons of a mask cover the mask again, holes aside', (t) => {
  for (const { size, counts, area } of goldens.masks) {
    const polygons = masks.toPolygons({ size, counts });
    const shape = (rings: number[][]) => rings.map((ring) => masks.rleFromPolygons([ring], size));
    const pieces = polygons.map(({ exterior }) => exterior);
    const signed = (ring: number[]) => {
      let sum = 0;
      for (let i = 0; i < ring.length; i += 2) {
        const j = (i + 2) % ring.length;
        sum += (ring[i]! * ring[j + 1]! - ring[j]! * ring[i + 1]!) / 2;
      }
      return sum;
    };
    const total = polygons
      .flatMap(({ exterior, holes }) => [exterior, ...holes])
      .reduce((sum, ring) => sum + signed(ring), 0);
    t.is(total, area);
    if (polygons.length > 0 && polygons.every(({ holes }) => holes.length === 0)) {
      t.is(masks.mergeRles(shape(pieces)).counts, counts);
    }
  }
});

test('a ring has a polygon with a hole', (t) => {
  const bitmap = ndarray(Uint8Array.from([1, 1, 1, 1, 0, 1, 1, 1, 1]), [3, 3]);
  const [polygon, ...rest] = masks.toPolygons(masks.encodeRle(bitmap));
  t.is(rest.length, 0);
  t.deepEqual(polygon!.exterior, [3, 0, 3, 3, 0, 3, 0, 0]);
  t.is(polygon!.holes.length, 1);
});

test('text that is no RLE is refused with a code', (t) => {
  const size: Size = [4, 4];
  for (const counts of ['', 'zz', '\u00ff', '0', 'PPPPPPPPPPPPPPPPPPPPP', '`````````````````']) {
    t.throws(
      () => masks.decodeRle({ size, counts }),
      { code: 'ERR_NLRCNN_ARGUMENT' },
      JSON.stringify(counts),
    );
  }
  t.throws(() => masks.decodeRle({ size: [0, 4], counts: '' }), { code: 'ERR_NLRCNN_ARGUMENT' });
  t.throws(() => masks.rleFromPolygons([[1, 2]], size), { code: 'ERR_NLRCNN_ARGUMENT' });
  t.throws(() => masks.rleFromPolygons([[Number.NaN, 2, 3, 4, 5, 6]], size), { code: 'ERR_NLRCNN_ARGUMENT' });
  t.throws(() => masks.mergeRles([]), { code: 'ERR_NLRCNN_ARGUMENT' });
});
