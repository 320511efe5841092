import test from 'ava';
import { Recorder } from '../../dist/device.js';
import {
  DataLoader,
  type Dataset,
  decodeImage,
  decodeRle,
  drawAttention,
  drawOverlay,
  encodeRle,
  evaluateCityscapes,
  evaluateCoco,
  evaluateCocoFiles,
  evaluateStardist,
  isNlrcnnError,
  labelMapPng,
  loadModel,
  mergeRles,
  openDataset,
  ops,
  rleArea,
  rleFromBbox,
  rleFromPolygons,
  rleIou,
  rleToBbox,
  Tensor,
  toCocoDataset,
  toCocoResults,
  toLabelMap,
  toPolygons,
  train,
} from '../../dist/index.js';

// What the fuzzer found first was of one kind: arguments of another type ended in a TypeError of JavaScript's.

const rle = rleFromBbox([1, 1, 2, 2], [4, 4]);
const pixels = { data: new Uint8Array(16), width: 4, height: 4, channels: 1 as const };
const feature = Tensor.from(new Float32Array(1), [1, 1, 1, 1]);
const detached = new Float32Array(4);
structuredClone(detached.buffer, { transfer: [detached.buffer] });
const WRONG: readonly unknown[] = [
  undefined,
  null,
  7,
  3n,
  'a',
  Symbol('s'),
  () => 1,
  [undefined],
  new Array(2),
  [[]],
  [{ size: [4, Symbol('s')], counts: rle.counts }],
  [{ size: Object.create(null), counts: 1 }],
  {},
  { size: undefined, counts: rle.counts },
  { size: [4, 4], counts: undefined },
  { width: 4, height: 4, detections: [undefined] },
  { width: 4, height: 4, detections: [{ box: 1, mask: 1, score: {} }] },
  Object.create(null),
  detached,
  new Map(),
];

/** Each function, with one argument of every wrong type. */
const CALLS: Record<string, (value: never) => unknown> = {
  encodeRle,
  decodeRle,
  rleArea,
  rleToBbox,
  mergeRles,
  'mergeRles, a mask': (value) => mergeRles([rle, value]),
  'rleIou, detections': (value) => rleIou(value, [rle]),
  'rleIou, truths': (value) => rleIou([rle], value),
  'rleFromPolygons, size': (value) => rleFromPolygons([[0, 0, 2, 0, 2, 2]], value),
  'rleFromPolygons, polygons': (value) => rleFromPolygons([value], [4, 4]),
  'rleFromBbox, size': (value) => rleFromBbox([0, 0, 1, 1], value),
  'rleFromBbox, box': (value) => rleFromBbox(value, [4, 4]),
  toPolygons,
  toLabelMap,
  labelMapPng,
  drawOverlay: (value) => drawOverlay(pixels, value),
  drawAttention: (value) => drawAttention(pixels, value),
  toCocoResults: (value) => toCocoResults(value, 1),
  'toCocoDataset, result': (value) => toCocoDataset([{ name: 'a', result: value }]),
  evaluateStardist: (value) => evaluateStardist([value]),
  evaluateCityscapes: (value) => evaluateCityscapes([value], [1]),
  evaluateCoco: (value) => evaluateCoco([value], [1], 'segm'),
  'evaluateCoco, a truth': (value) => evaluateCoco([{ truths: [value], found: [] }], [1], 'bbox'),
  'evaluateCocoFiles, type': (value) => evaluateCocoFiles('a.json', 'b.json', value),
  decodeImage,
  'loadModel, weights': (value) => loadModel({ weights: value, config: value }),
  openDataset,
  'openDataset, data': (value) => openDataset({ format: 'coco', data: value }),
  'DataLoader, data set': (value) => new DataLoader(value, { batchSize: 1 }),
  train: (value) => train(value, { out: 'out' }),
  'ops, a tensor': (value) => ops.add(value, value),
  'ops.roiAlign, options': (value) => ops.roiAlign([feature], feature, value),
  'Recorder.finish': (value) => new Recorder().finish(value),
  'Tensor.from': (value) => Tensor.from(value, [1]),
  'Tensor.from, shape': (value) => Tensor.from(new Float32Array(3), value),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name}: values of any other type are refused with a code`, async (t) => {
    for (const [i, value] of WRONG.entries()) {
      // An absent options object, and an empty list of shapes or points, may be right.
      const error = await (async () => call(value as never))().then(
        () => undefined,
        (caught: unknown) => caught,
      );
      if (error === undefined) continue;
      t.true(isNlrcnnError(error), `value ${i}: ${String((error as Error).stack)}`);
      t.not((error as { code?: string }).code, 'ERR_NLRCNN_INTERNAL', `value ${i}`);
    }
  });
}

test('refusals say what was expected', async (t) => {
  const code = 'ERR_NLRCNN_ARGUMENT';
  t.throws(() => rleArea(undefined as never), {
    code,
    message: /a mask \{ size, counts \} for the mask but received undefined/,
  });
  t.throws(() => rleIou([rle], 1 as never), {
    code,
    message: /an array of masks for groundTruths but received 1/,
  });
  t.throws(() => rleArea({ size: [4, '4'], counts: '' } as never), { code, message: /\[height, width\]/ });
  t.throws(() => ops.nms(undefined as never, undefined as never, undefined as never), {
    code,
    message: /ops\.nms/,
  });
  t.throws(() => ops.add({} as never, {} as never), {
    code,
    message: /a Tensor for input 0 but received an object/,
  });
  t.throws(() => Tensor.from(new Float32Array(3), [1.5, 2]), { code: 'ERR_NLRCNN_SHAPE' });
  t.throws(() => Tensor.from(new Float32Array(3), [-1, -3]), { code: 'ERR_NLRCNN_SHAPE' });
  const truth = { category: 1, bbox: [0, 0, 1, 1], area: 1, crowd: false };
  t.throws(() => evaluateCoco([{ truths: [truth], found: [] }], [1], 'segm'), { code, message: /mask/ });
  t.throws(() => evaluateCoco([{ truths: [{ ...truth, bbox: [0, 0, 1] }], found: [] }], [1], 'bbox'), {
    code,
  });
  t.throws(() => evaluateCoco([], [1], 'keypoints' as never), { code, message: /segm or bbox/ });
  for (const crowd of [Symbol('s'), {}, 1n]) {
    const one = { ...truth, crowd: crowd as never };
    t.throws(() => evaluateCoco([{ truths: [one, one], found: [] }], [1], 'bbox'), {
      code,
      message: /crowd/,
    });
  }
  const picture = { height: 4, width: 5, truths: [rle], found: [] };
  t.throws(() => evaluateStardist([picture]), {
    code: 'ERR_NLRCNN_SHAPE',
    message: /\[4, 5\] but received \[4, 4\]/,
  });
  t.throws(() => toLabelMap({ width: 2 ** 16, height: 2 ** 16, detections: [] } as never), {
    code: 'ERR_NLRCNN_SHAPE',
  });
  await t.throwsAsync(() => train({} as never, {} as never), { code, message: /path for out/ });
  await t.throwsAsync(() => evaluateCocoFiles(0 as never, 'b', 'segm'), {
    code,
    message: /a file's path for groundTruth/,
  });
});

test('what a data set of the caller gives is checked', async (t) => {
  const wrong: readonly unknown[] = [
    undefined,
    { instances: 1 },
    { instances: [undefined] },
    { instances: [{ label: 'a' }] },
  ];
  for (const given of wrong) {
    const dataset = {
      classNames: ['background', 'a'],
      length: 1,
      sample: async () => given,
    } as unknown as Dataset;
    const loader = new DataLoader(dataset, { batchSize: 1, workers: 0 });
    try {
      const error = await t.throwsAsync(async () => await loader[Symbol.asyncIterator]().next());
      t.true(isNlrcnnError(error), String(error?.stack));
    } finally {
      await loader.close();
    }
  }
});
