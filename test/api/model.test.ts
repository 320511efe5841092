import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import {
  decodeImage,
  decodeRle,
  drawOverlay,
  labelMapPng,
  loadModel,
  type Segmentation,
  toCocoResults,
  toLabelMap,
  toPolygons,
} from '../../dist/index.js';

const SAMPLES = join(__dirname, '..', '..', 'models', 'samples');
const touching = join(SAMPLES, 'touching.png');
const large = join(SAMPLES, 'large.png');

const without = ({ milliseconds: _, ...rest }: Segmentation) => rest;

test('a path, a buffer and raw pixels give the same result', async (t) => {
  using model = await loadModel();
  const [path, buffer, raw] = await model.segment([
    touching,
    readFileSync(touching),
    await decodeImage(touching),
  ]);
  t.true(path!.detections.length > 50);
  t.deepEqual(without(buffer!), without(path!));
  t.deepEqual(without(raw!), without(path!));
});

test("a picture's result does not depend on what else is in the batch, nor on the run", async (t) => {
  using model = await loadModel();
  const alone = await model.segment(touching);
  const [, batched, , again] = await model.segment([large, touching, large, touching]);
  t.deepEqual(without(batched!), without(alone));
  t.deepEqual(without(again!), without(alone));
});

test('detections are typed, sorted, inside the picture, and score and maxDetections choose among them', async (t) => {
  using model = await loadModel();
  const all = await model.segment(large);
  const { detections, width, height } = all;
  t.is(detections[0]!.label, 'nucleus');
  for (const [i, { score, box, mask }] of detections.entries()) {
    t.true(score <= (detections[i - 1]?.score ?? 1));
    t.true(box[0] >= 0 && box[1] >= 0 && box[2] <= width + 1e-3 && box[3] <= height + 1e-3);
    t.deepEqual(mask!.size, [height, width]);
  }
  const sure = await model.segment(large, { score: 0.9, maxDetections: 5 });
  t.deepEqual(sure.detections, detections.filter(({ score }) => score >= 0.9).slice(0, 5));
  t.is((await model.segment(large, { maxDetections: 0 })).detections.length, 0);
});

test('bitmaps, polygons, label map, COCO results and overlay of a result', async (t) => {
  using model = await loadModel();
  const result = await model.segment(touching, { score: 0.5 });
  const bitmap = decodeRle(result.detections[0]!.mask!);
  t.deepEqual(bitmap.shape, [result.height, result.width]);
  t.true(toPolygons(result.detections[0]!.mask!)[0]!.exterior.length >= 8);
  const map = toLabelMap(result);
  const { data, info } = await sharp(await labelMapPng(result))
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  t.is(info.channels, 1);
  t.deepEqual(new Uint16Array(data.buffer, data.byteOffset, data.length / 2), map.data);
  t.is((await sharp(await labelMapPng(result)).metadata()).depth, 'ushort');
  for (let i = 0; i < bitmap.data.length; i++) if (bitmap.data[i]) t.is(map.data[i], 1);
  const [first] = toCocoResults(result, 7, (label) => label + 100);
  t.is(first!.image_id, 7);
  t.is(first!.category_id, 101);
  t.is(first!.bbox[2], result.detections[0]!.box[2] - result.detections[0]!.box[0]);
  const overlay = await sharp(await drawOverlay(touching, result)).metadata();
  t.deepEqual([overlay.width, overlay.height], [768, 768]);
  const same = await sharp(await drawOverlay(touching, result, { scale: 1 }))
    .raw()
    .toBuffer();
  const plain = await sharp(await drawOverlay(touching, { ...result, detections: [] }, { scale: 1 }))
    .raw()
    .toBuffer();
  t.true(same.some((v, i) => v !== plain[i]));
});

test('after dispose() a model is refused, twice is fine', async (t) => {
  const model = await loadModel();
  const running = model.segment(touching);
  await new Promise((resolve) => setTimeout(resolve, 50));
  model.dispose();
  model.dispose();
  t.true(model.disposed);
  await t.throwsAsync(model.segment(touching), { code: 'ERR_NLRCNN_DISPOSED' });
  await running.catch((error: { code?: string }) => t.is(error.code, 'ERR_NLRCNN_DISPOSED'));
});

test('an aborted signal stops before the next picture', async (t) => {
  using model = await loadModel();
  const abort = new AbortController();
  const reason = new Error('enough');
  const running = model.segment([touching, touching, touching, touching], { signal: abort.signal });
  abort.abort(reason);
  const error = await t.throwsAsync(running, { code: 'ERR_NLRCNN_CANCELLED' });
  t.is(error?.cause, reason);
});

test('options out of range are refused', async (t) => {
  using model = await loadModel();
  const code = { code: 'ERR_NLRCNN_ARGUMENT' };
  await t.throwsAsync(model.segment(touching, { score: 1.5 }), code);
  await t.throwsAsync(model.segment(touching, { score: Number.NaN }), code);
  await t.throwsAsync(model.segment(touching, { maxDetections: -1 }), code);
  await t.throwsAsync(model.segment(touching, { signal: {} as AbortSignal }), code);
  await t.throwsAsync(model.segment(7 as never), code);
  await t.throwsAsync(loadModel({ device: 'gpu' as never }), code);
  await t.throwsAsync(loadModel({ device: 'cuda' }), { code: 'ERR_NLRCNN_DEVICE' });
  await t.throwsAsync(loadModel({ precision: 'bf16' }), { code: 'ERR_NLRCNN_UNSUPPORTED' });
  await t.throwsAsync(loadModel({ model: 'resnet' }), code);
  await t.throwsAsync(loadModel({ model: 'a', weights: 'b' }), code);
});
