import { join } from 'node:path';
import { anything, Data, mostly, number, options as optionsOf } from '../data.mjs';
import { ensure } from '../findings.mjs';
import { fixture, load, scratch } from '../package.mjs';

const api = load('index.js');
const {
  DataLoader,
  decodeImage,
  drawOverlay,
  loadModel,
  openDataset,
  parseTrainingConfig,
  train,
  evaluateCocoFiles,
} = api;
const { resolveDevice } = load('device.js');
const folder = scratch('api');

/** The bundled network for small images, so that a call takes milliseconds; its first run is before the first input. */
const { config } = await loadModel().then((full) => {
  full.dispose();
  return full;
});
const small = {
  ...config,
  min_size: 32,
  max_size: 64,
  rpn_pre_nms_top_n: 50,
  rpn_post_nms_top_n: 20,
  box_detections_per_img: 10,
};
const model = await loadModel({ config: small });
const first = { data: new Uint8Array(64), width: 8, height: 8, channels: 1 };
await model.segment(first);
await model.attention(first, { roi: 0 }).catch(() => {});
const network = async () => model;

const pixels = (data) => {
  const [width, height] = [1 + data.int(12), 1 + data.int(12)];
  const channels = data.pick([1, 2, 3, 4]);
  const values = data
    .pick([Uint8Array, Uint16Array, Float32Array])
    .from({ length: width * height * channels }, () => data.byte());
  return optionsOr(data, { data: values, width, height, channels });
};
/** An object with one of its values exchanged now and then. */
const optionsOr = (data, value) => {
  const out = { ...value };
  if (data.oneIn(4)) out[data.pick(Object.keys(value))] = anything(data);
  return out;
};

const sample = (data) =>
  optionsOr(data, {
    id: 1,
    name: 'a',
    image: pixels(data),
    width: 4,
    height: 4,
    instances: mostly(data, []),
  });
const dataset = (data) =>
  optionsOr(data, {
    classNames: ['background', 'a'],
    length: 1 + data.int(4),
    sample: async () => sample(data),
  });
const range = (data) => [data.byte() / 128, 1 + data.byte() / 128];
const augment = (data) =>
  optionsOf(data, {
    horizontalFlip: (d) => d.byte() / 255,
    rotate90: (d) => d.oneIn(2),
    scale: range,
    crop: (d) => [1 + d.int(20), 1 + d.int(20)],
    fill: number,
    minArea: number,
    brightness: range,
    contrast: range,
  });
const loader = (data) => ({
  batchSize: 1 + data.int(3),
  workers: 0,
  epochs: 1,
  ...optionsOf(data, {
    batchSize: number,
    seed: number,
    shuffle: (d) => d.oneIn(2),
    augment,
    inputNormalization: (d) => d.pick(['none', { percentiles: [1, 99] }]),
    prefetch: (d) => d.int(3),
    start: (d) => ({ epoch: 0, sample: d.int(3) }),
    epochs: (d) => d.int(3),
    onError: (d) => d.pick(['fail', 'skip']),
    cache: number,
    onSkip: () => () => {},
  }),
});

const CALLS = [
  (data) =>
    decodeImage(
      mostly(data, () => pixels(data), 4),
      optionsOf(data, { maxPixels: number }),
    ),
  (data) => resolveDevice(anything(data)),
  async (data) => {
    const found = await (await network()).segment(
      mostly(data, () => pixels(data), 3),
      optionsOf(data, {
        score: number,
        maxDetections: number,
        signal: (d) => d.pick([AbortSignal.abort(), new AbortController().signal]),
      }),
    );
    ensure(
      Array.isArray(found) || found.detections.every(({ score }) => score >= 0 && score <= 1),
      'segment gives scores beyond 0 … 1',
    );
  },
  async (data) =>
    void (await (
      await network()
    ).segment(
      mostly(data, () => data.list(3, () => mostly(data, () => pixels(data)))),
      anything(data),
    )),
  async (data) =>
    void (await (
      await network()
    ).attention(
      mostly(data, () => pixels(data)),
      optionsOf(data, { roi: (d) => d.int(3), head: (d) => d.pick(['box', 'mask']) }),
    )),
  async (data) => {
    const own = await loadModel(
      optionsOf(data, {
        model: anything,
        weights: (d) => d.pick([join(folder, 'none.pth'), fixture('checkpoints/zip.pth')]),
        config: (d) => (d.oneIn(2) ? small : optionsOr(d, small)),
        device: anything,
        precision: anything,
        maxPixels: number,
      }),
    );
    own.dispose();
    await own.segment(pixels(data)).then(
      () => ensure(false, 'a model that was disposed of still segments'),
      (error) => ensure(error.code === 'ERR_NLRCNN_DISPOSED' || data.wild > 0, String(error)),
    );
  },
  (data) =>
    openDataset(
      optionsOf(data, {
        format: (d) => d.pick(['coco', 'labelmaps', 'cityscapes', 'kitti']),
        data: (d) => fixture(join('datasets', d.pick(['coco', 'labelmaps', 'cityscapes', 'kitti']))),
        split: (d) => d.pick(['train', 'val', 'mini', 'test']),
        annotations: anything,
        images: anything,
        labels: anything,
        className: anything,
      }),
    ),
  async (data) => {
    const batches = new DataLoader(
      mostly(data, () => dataset(data)),
      mostly(data, () => loader(data)),
    );
    try {
      let left = 3;
      for await (const { samples } of batches) {
        for (const { pixels: values, width, height, channels } of samples) {
          ensure(values.length === width * height * channels, 'a batch with pixels of another size');
        }
        if (--left === 0) break;
      }
    } finally {
      await batches.close();
    }
  },
  (data) => parseTrainingConfig(anything(data)),
  (data) =>
    train(
      anything(data),
      optionsOf(data, { out: anything, resume: anything, device: anything, signal: anything }),
    ),
  (data) => evaluateCocoFiles(anything(data), anything(data), anything(data)),
  (data) =>
    drawOverlay(
      mostly(data, () => pixels(data)),
      { width: 4, height: 4, detections: [] },
      optionsOf(data, {
        scale: (d) => d.int(4),
        percentiles: (d) => [d.int(100), d.int(100)],
        maxPixels: number,
      }),
    ),
  (data) => api.isNlrcnnError(anything(data)),
  (data) => new api.NlrcnnError('ERR_NLRCNN_ARGUMENT', mostly(data, 'a')),
];

export const options = { maxLength: 500 };
export const seeds = () =>
  CALLS.flatMap((_, i) => [
    Buffer.from([i]),
    Buffer.from([i, ...Buffer.from('\x05\x00\x00\x01\x02\x03'.repeat(60))]),
  ]);
export const close = () => model.dispose();

export async function run(bytes) {
  const data = new Data(bytes);
  const choice = data.int(CALLS.length);
  await CALLS[choice](data);
  return `call ${choice}`;
}
