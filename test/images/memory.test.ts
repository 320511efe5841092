import { runInNewContext } from 'node:vm';
import test from 'ava';
import sharp from 'sharp';
import {
  DataLoader,
  type Dataset,
  decodeImage,
  drawAttention,
  drawOverlay,
  type ImageInput,
  type RawImage,
  rleFromBbox,
  type Segmentation,
} from '../../dist/index.js';
import { Model } from '../../dist/model.js';
import { MODEL_CASES, seededModel } from '../helpers/model-cases.js';

const [WIDTH, HEIGHT] = [40, 32];
const pixels = () =>
  Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) =>
    ((i % WIDTH) - 20) ** 2 + (i / WIDTH - 16) ** 2 < 90 ? 200 : 20,
  );
const raw = (data: RawImage['data']): RawImage => ({ data, width: WIDTH, height: HEIGHT, channels: 1 });
const png = () =>
  sharp(pixels(), { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();

let model: Model;
test.before(async () => {
  const modelCase = MODEL_CASES.find(({ name }) => name === 'nl-box')!;
  const { config, parameters } = seededModel(modelCase, 'cpu');
  model = new Model(modelCase.name, config, 'cpu', 'fp32', parameters);
});
test.after.always(() => model?.dispose());

/** Ways in which a caller may take memory away after the call. */
const CHANGES: Record<string, (array: Uint8Array) => void> = {
  overwritten: (array) => array.fill(0),
  transferred: (array) => structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] }),
};

const detections = [
  {
    label: 'a',
    labelId: 1,
    score: 0.9,
    box: [4, 4, 20, 20] as [number, number, number, number],
    mask: rleFromBbox([4, 4, 16, 16], [HEIGHT, WIDTH]),
  },
];
const segmentation = (): Segmentation => ({
  width: WIDTH,
  height: HEIGHT,
  detections: structuredClone(detections),
  milliseconds: { decode: 0, network: 0, total: 0 },
});
const attention = () => ({
  width: WIDTH,
  height: HEIGHT,
  head: 'mask' as const,
  rois: [{ box: detections[0]!.box }],
  roi: 0,
  weights: [1],
  perHead: [[1]],
  detections: structuredClone(detections),
});

/** Everything that takes an image. */
const TAKERS: Record<string, (input: ImageInput) => Promise<unknown>> = {
  decodeImage: (input) => decodeImage(input),
  segment: async (input) => (await model.segment(input)).detections,
  'segment of several': async (input) => (await model.segment([input, input]))[1]!.detections,
  attention: (input) => model.attention(input, { roi: 0 }),
  drawOverlay: (input) => drawOverlay(input, segmentation()),
  drawAttention: (input) => drawAttention(input, attention()),
};

for (const [taker, take] of Object.entries(TAKERS)) {
  for (const [change, apply] of Object.entries(CHANGES)) {
    if (change === 'transferred' && ['segment of several', 'attention'].includes(taker)) continue;
    test(`${taker} has the pixels and bytes of the moment of the call, later ${change}`, async (t) => {
      const expected = await take(raw(pixels()));
      const data = pixels();
      const ofPixels = take(raw(data));
      apply(data);
      t.deepEqual(await ofPixels, expected);
      if (change === 'overwritten') t.notDeepEqual(await take(raw(data)), expected);
      const bytes = new Uint8Array(await png());
      const ofBytes = take(bytes);
      apply(bytes);
      t.deepEqual(await ofBytes, expected);
    });
  }
}

test('all images of a list are taken at the call, the last ones too', async (t) => {
  const expected = await model.segment(Array.from({ length: 3 }, () => raw(pixels())));
  const arrays = Array.from({ length: 3 }, pixels);
  const list = arrays.map(raw);
  const running = model.segment(list);
  for (const array of arrays) array.fill(0);
  list.length = 0;
  t.deepEqual(
    (await running).map((one) => one.detections),
    expected.map((one) => one.detections),
  );
  t.true(expected[0]!.detections.length > 0);
});

test('shared memory, resizable buffers, odd offsets and other realms are read alike', async (t) => {
  const file = await png();
  const expected = await decodeImage(file);
  const shared = new Uint8Array(new SharedArrayBuffer(file.length));
  shared.set(file);
  const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
  const resizable = new Uint8Array(new Resizable(file.length, { maxByteLength: 2 * file.length }));
  resizable.set(file);
  const shifted = new Uint8Array(file.length + 3).subarray(3);
  shifted.set(file);
  const foreign = runInNewContext('Uint8Array.from(values)', { values: Array.from(file) }) as Uint8Array;
  for (const input of [shared, resizable, shifted, foreign]) t.deepEqual(await decodeImage(input), expected);
  const floats = new Float32Array(new SharedArrayBuffer(4 * WIDTH * HEIGHT), 0, WIDTH * HEIGHT).fill(0.5);
  const clamped = runInNewContext('new Uint8ClampedArray(n).fill(7)', { n: WIDTH * HEIGHT });
  for (const data of [floats, clamped]) {
    const decoded = await decodeImage(raw(data));
    t.deepEqual(Array.from(decoded.data), Array.from(data as Float32Array));
    t.false(decoded.data.buffer instanceof SharedArrayBuffer);
  }
  const list = runInNewContext('[input, input]', { input: raw(pixels()) });
  t.is((await model.segment(list as RawImage[])).length, 2);
});

test('memory that is gone, views without length and lengths that lie are errors with a code', async (t) => {
  const gone = pixels();
  CHANGES.transferred!(gone);
  await t.throwsAsync(decodeImage(gone), { code: 'ERR_NLRCNN_ARGUMENT', message: /not transferred/ });
  await t.throwsAsync(decodeImage(raw(gone)), { code: 'ERR_NLRCNN_SHAPE', message: /transferred/ });
  await t.throwsAsync(decodeImage(raw(new Uint16Array(0))), { code: 'ERR_NLRCNN_SHAPE' });
  const lying = Object.defineProperty(new Uint8Array(3), 'length', { value: WIDTH * HEIGHT });
  await t.throwsAsync(decodeImage(raw(lying)), { code: 'ERR_NLRCNN_SHAPE', message: /received 3$/ });
  await t.throwsAsync(decodeImage(new Proxy(new Uint8Array(9), {})), { code: 'ERR_NLRCNN_ARGUMENT' });
  const throwing = {
    get data(): never {
      throw new Error('no data today');
    },
  };
  await t.throwsAsync(decodeImage(throwing as never), {
    code: 'ERR_NLRCNN_ARGUMENT',
    message: /no data today/,
  });
  await t.throwsAsync(decodeImage({ data: gone, width: 2 ** 40, height: 2 ** 40, channels: 3 }), {
    code: 'ERR_NLRCNN_SHAPE',
  });
  await t.throwsAsync(model.segment([raw(pixels()), null as never]), {
    code: 'ERR_NLRCNN_ARGUMENT',
    message: /image 1/,
  });
});

test('each property of a raw image is read once', async (t) => {
  const reads: string[] = [];
  const changing = new Proxy(raw(pixels()), {
    get(target, key) {
      if (reads.includes(String(key))) return undefined;
      reads.push(String(key));
      return target[key as keyof RawImage];
    },
  });
  t.deepEqual(await decodeImage(changing), await decodeImage(raw(pixels())));
});

test('drawings show the detections of the moment of the call', async (t) => {
  const input = raw(pixels());
  const expected = await drawOverlay(input, segmentation());
  const result = segmentation();
  const running = drawOverlay(input, result);
  result.detections[0]!.box.fill(0);
  result.detections.length = 0;
  t.deepEqual(await running, expected);
  t.notDeepEqual(await drawOverlay(input, result), expected);
});

test('a data set may use one buffer for all its samples', async (t) => {
  const buffer = new Uint8Array(WIDTH * HEIGHT);
  let turn = Promise.resolve();
  const dataset: Dataset = {
    classNames: ['background', 'thing'],
    length: 12,
    sample(index) {
      // One after the other, as a decoder with a buffer of its own would.
      const sample = turn.then(async () => {
        buffer.fill(10 * index);
        return {
          id: index,
          name: `${index}`,
          image: raw(buffer),
          width: WIDTH,
          height: HEIGHT,
          instances: [],
        };
      });
      turn = sample.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
      return sample;
    },
  };
  for (const workers of [0, 1]) {
    const loader = new DataLoader(dataset, { batchSize: 4, workers, shuffle: false, epochs: 1 });
    const seen: number[] = [];
    for await (const { samples } of loader)
      for (const { pixels: p } of samples) seen.push(Math.round(255 * p[0]!));
    await loader.close();
    t.deepEqual(
      seen,
      Array.from({ length: 12 }, (_, i) => 10 * i),
    );
  }
});
