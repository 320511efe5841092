import { anything, Data, mostly, number, options as optionsOf } from '../data.mjs';
import { ensure } from '../findings.mjs';
import { load } from '../package.mjs';

const api = load('index.js');
const {
  rleFromPolygons,
  rleFromBbox,
  toPolygons,
  toLabelMap,
  drawOverlay,
  drawAttention,
  evaluateCoco,
  evaluateStardist,
} = api;
const { rleArea, decodeRle, toCocoResults, toCocoDataset, labelMapPng, evaluateCityscapes } = api;

const sizeOf = (data) => mostly(data, [1 + data.int(50), 1 + data.int(50)], 30);
const coordinate = (data) =>
  data.oneIn(12) ? number(data) : data.int(60) + (data.oneIn(2) ? data.byte() / 256 : 0) - 4;
const ringOf = (data) =>
  mostly(
    data,
    () =>
      Array.from({ length: 2 * data.int(8) + (data.oneIn(20) ? 1 : 0) }, () =>
        mostly(data, coordinate(data), 60),
      ),
    40,
  );
const maskOf = (data, size = [8, 8]) => {
  const ring = Array.from({ length: 2 * (3 + data.int(4)) }, () => data.int(12));
  return rleFromPolygons([ring], size);
};
const boxOf = (data) => mostly(data, () => Array.from({ length: 4 }, () => coordinate(data)), 20);
const mask = (data) => mostly(data, () => maskOf(data), 25);

const detection = (data) =>
  mostly(
    data,
    () => ({
      label: mostly(data, 'cell', 20),
      labelId: mostly(data, data.int(3), 20),
      score: mostly(data, data.byte() / 255, 20),
      box: boxOf(data),
      ...(data.oneIn(5) ? {} : { mask: mask(data) }),
    }),
    30,
  );
const segmentation = (data) =>
  mostly(
    data,
    () => ({
      width: mostly(data, 8, 30),
      height: mostly(data, 8, 30),
      detections: mostly(data, () => data.list(4, () => detection(data)), 20),
    }),
    20,
  );
const pixels = (data) => ({
  data: Uint8Array.from({ length: 64 }, () => data.byte()),
  width: 8,
  height: 8,
  channels: 1,
});

const truth = (data, extra = {}) =>
  mostly(
    data,
    () => ({
      category: mostly(data, data.int(3), 30),
      bbox: boxOf(data),
      area: number(data),
      crowd: mostly(data, data.oneIn(4), 20),
      mask: mask(data),
      ...extra,
    }),
    30,
  );
const picture = (data) =>
  mostly(
    data,
    () => ({
      truths: mostly(data, () => data.list(4, () => truth(data)), 20),
      found: mostly(data, () => data.list(4, () => truth(data, { score: number(data) })), 20),
    }),
    30,
  );

const ringArea = (ring) => {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    sum += ring[i] * ring[j + 1] - ring[j] * ring[i + 1];
  }
  return sum / 2;
};

const map = (data) =>
  mostly(data, () => ({ data: Uint16Array.from({ length: 16 }, () => data.int(4)), width: 4, height: 4 }), 8);

const CALLS = [
  (data) => {
    const size = sizeOf(data);
    const polygons = mostly(data, () => data.list(3, () => ringOf(data)), 30);
    const rle = rleFromPolygons(polygons, size);
    ensure(
      rleArea(rle) === decodeRle(rle).data.reduce((a, b) => a + b, 0),
      'rleFromPolygons gives an unsound mask',
    );
    const found = toPolygons(rle);
    const area = found.reduce(
      (sum, { exterior, holes }) =>
        sum + ringArea(exterior) + holes.reduce((a, hole) => a + ringArea(hole), 0),
      0,
    );
    ensure(area === rleArea(rle), 'toPolygons covers other pixels');
  },
  (data) => {
    const rle = rleFromBbox(boxOf(data), sizeOf(data));
    ensure(rleArea(rle) >= 0, 'rleFromBbox');
  },
  (data) => void toPolygons(mask(data)),
  (data) => {
    const given = segmentation(data);
    const { shape, data: labels } = toLabelMap(given);
    ensure(
      labels.length === given.width * given.height && shape[0] === given.height,
      'toLabelMap of another size',
    );
    ensure(
      labels.every((value) => value <= given.detections.length),
      'toLabelMap with labels of no detection',
    );
  },
  (data) =>
    data.oneIn(6)
      ? labelMapPng(segmentation(data)).then(() => undefined)
      : void toLabelMap(segmentation(data)),
  (data) => {
    if (!data.oneIn(4))
      return void toCocoResults(
        segmentation(data),
        mostly(data, 1),
        mostly(data, () => (id) => id),
      );
    const makers = {
      score: number,
      labels: (d) => d.oneIn(2),
      scale: (d) => d.pick([1, 2, 0.5, 0, -1, 1e9, Number.NaN]),
      percentiles: () => [1, 99],
      maxPixels: () => 1e5,
    };
    const drawn = drawOverlay(
      mostly(data, () => pixels(data)),
      segmentation(data),
      { scale: 1, ...optionsOf(data, makers) },
    );
    return drawn.then(() => undefined);
  },
  (data) => {
    const attention = mostly(data, () => ({
      width: 8,
      height: 8,
      head: data.pick(['box', 'mask']),
      rois: mostly(data, () => data.list(3, () => ({ box: boxOf(data) }))),
      roi: mostly(data, data.int(3)),
      weights: data.list(3, () => number(data)),
      perHead: [],
      detections: mostly(data, () => data.list(3, () => detection(data))),
    }));
    if (!data.oneIn(4))
      return void toCocoDataset(
        mostly(data, () =>
          data.list(3, () => mostly(data, () => ({ name: 'a', result: segmentation(data) }))),
        ),
        mostly(data, ['background', 'cell']),
      );
    return drawAttention(
      mostly(data, () => pixels(data)),
      attention,
      { scale: 1, ...optionsOf(data, { lines: number }) },
    ).then(() => undefined);
  },
  (data) => {
    const result = evaluateCoco(
      mostly(data, () => data.list(3, () => picture(data)), 30),
      mostly(data, [0, 1, 2], 20),
      mostly(data, data.pick(['segm', 'bbox']), 20),
      mostly(data, undefined, 20),
    );
    ensure(
      result.stats.every((value) => value === -1 || (value >= 0 && value <= 1)),
      () => `evaluateCoco gives ${result.stats}`,
    );
  },
  (data) =>
    void evaluateStardist(
      mostly(data, () =>
        data.list(3, () => mostly(data, () => ({ truth: map(data), predicted: map(data) }))),
      ),
    ),
  (data) => {
    const one = (extra) => mostly(data, () => ({ label: mostly(data, 1), ...extra, mask: mask(data) }));
    const pictures = mostly(data, () =>
      data.list(3, () =>
        mostly(data, () => ({
          truths: data.list(3, () => one({ crowd: false })),
          found: data.list(3, () => one({ score: number(data) })),
          size: [8, 8],
          ignore: [],
        })),
      ),
    );
    evaluateCityscapes(pictures, mostly(data, [1, 2]));
  },
  (data) => {
    const names = [
      'rleFromPolygons',
      'rleFromBbox',
      'toPolygons',
      'toLabelMap',
      'drawOverlay',
      'drawAttention',
      'evaluateCoco',
      'evaluateStardist',
      'toCocoResults',
      'toCocoDataset',
      'labelMapPng',
      'evaluateCityscapes',
    ];
    const result = api[data.pick(names)](anything(data), anything(data), anything(data), anything(data));
    if (result instanceof Promise) return result.then(() => undefined);
  },
];

export const options = { maxLength: 800 };
export const seeds = () =>
  CALLS.map((_, i) => Buffer.from([i, ...Buffer.from('0623Aa340z12031K02039?x!'.repeat(4))]));

export function run(bytes) {
  const data = new Data(bytes);
  return CALLS[data.int(CALLS.length)](data);
}
