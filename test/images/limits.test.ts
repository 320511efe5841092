import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import test from 'ava';
import sharp from 'sharp';
import { decodeSample } from '../../dist/datasets/decoded.js';
import { decodeCaptured } from '../../dist/images/decode.js';
import { decodeImage, drawOverlay, labelMapPng, loadModel, openDataset } from '../../dist/index.js';
import { resetWarnings } from '../../dist/warnings.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const fixture = (name: string) => join(__dirname, '..', '..', 'test', 'fixtures', 'images', name);

/** A PNG whose header says more than it holds: nothing of it can be decoded. */
function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const TOO_LARGE = {
  code: 'ERR_NLRCNN_IMAGE',
  message: /at most \d+ pixels .*maxPixels or NLRCNN_MAX_PIXELS/,
};
const gray = (width: number, height: number) => ({
  data: new Uint8Array(width * height),
  width,
  height,
  channels: 1 as const,
});

test('images above the limit are refused by their header', async (t) => {
  await t.throwsAsync(decodeImage(bomb(100_000, 100_000)), TOO_LARGE);
  // Within the limit it is decoded, and what it lacks is found out.
  await t.throwsAsync(decodeImage(bomb(2000, 2000)), { code: 'ERR_NLRCNN_IMAGE', message: /did not decode/ });
  await t.throwsAsync(decodeImage(bomb(2000, 2000), { maxPixels: 3_999_999 }), TOO_LARGE);
  for (const format of ['jpeg', 'webp', 'tiff'] as const) {
    const file = await sharp(gray(50, 40).data, { raw: { width: 50, height: 40, channels: 1 } })
      .toFormat(format)
      .toBuffer();
    await t.throwsAsync(decodeImage(file, { maxPixels: 1999 }), TOO_LARGE, format);
    t.is((await decodeImage(file, { maxPixels: 2000 })).width, 50);
  }
  await t.throwsAsync(decodeImage(gray(50, 40), { maxPixels: 1999 }), TOO_LARGE);
  for (const maxPixels of [0, -1, Number.NaN, '9' as never]) {
    await t.throwsAsync(decodeImage(gray(2, 2), { maxPixels }), { code: 'ERR_NLRCNN_ARGUMENT' });
  }
  t.is((await decodeImage(gray(2, 2), { maxPixels: Number.POSITIVE_INFINITY })).width, 2);
});

test('tiles count as the pixels that they make a decoder hold', async (t) => {
  const file = await sharp(gray(9, 9).data, { raw: { width: 9, height: 9, channels: 1 } })
    .tiff({ tile: true, tileWidth: 512, tileHeight: 512, compression: 'deflate' })
    .toBuffer();
  await t.throwsAsync(decodeImage(file, { maxPixels: 1000 }), { ...TOO_LARGE, message: /tiles of 262144/ });
});

test.serial('the environment sets the limit of label maps and of everything without an option', async (t) => {
  const write = (kind: string, side: number) => {
    mkdirSync(join(folder, kind), { recursive: true });
    writeFileSync(join(folder, kind, 'a.png'), bomb(side, side));
  };
  write('images', 10);
  write('labels', 10);
  const dataset = await openDataset({ format: 'labelmaps', data: folder });
  process.env.NLRCNN_MAX_PIXELS = '99';
  try {
    await t.throwsAsync(dataset.sample(0), TOO_LARGE);
    await t.throwsAsync(decodeImage(gray(10, 10)), TOO_LARGE);
    await t.throwsAsync(drawOverlay(gray(10, 10), { detections: [] } as never), TOO_LARGE);
    t.is((await decodeImage(gray(10, 10), { maxPixels: 100 })).width, 10);
    process.env.NLRCNN_MAX_PIXELS = 'many';
    await t.throwsAsync(decodeImage(gray(10, 10)), {
      code: 'ERR_NLRCNN_ARGUMENT',
      message: /NLRCNN_MAX_PIXELS/,
    });
  } finally {
    delete process.env.NLRCNN_MAX_PIXELS;
  }
});

test('a model keeps its own limit', async (t) => {
  await t.throwsAsync(loadModel({ maxPixels: -1 }), { code: 'ERR_NLRCNN_ARGUMENT' });
  using model = await loadModel({ maxPixels: 1000 });
  t.is(model.maxPixels, 1000);
  await t.throwsAsync(model.segment(gray(101, 10)), TOO_LARGE);
  await t.throwsAsync(model.attention(bomb(101, 10), { roi: 0 }), TOO_LARGE);
  t.is((await model.segment(gray(100, 10))).width, 100);
});

test('drawings that would be too large, and scales that are none, are refused', async (t) => {
  const none = { detections: [] } as never;
  await t.throwsAsync(drawOverlay(gray(10, 10), none, { scale: 1e9 }), TOO_LARGE);
  for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await t.throwsAsync(drawOverlay(gray(10, 10), none, { scale }), { code: 'ERR_NLRCNN_ARGUMENT' });
  }
  const map = {
    width: 3_000_000,
    height: 1,
    detections: [],
    milliseconds: { decode: 0, network: 0, total: 0 },
  };
  await t.throwsAsync(labelMapPng({ ...map, width: 0 }), { code: 'ERR_NLRCNN_IMAGE' });
});

test('other formats are refused by name, without being decoded', async (t) => {
  const text = {
    svg: '\ufeff<?xml version="1.0"?>\n<!-- a --><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    html: '<!DOCTYPE html><title>404</title>',
    pdf: '%PDF-1.7',
    netpbm: 'P5 2 2 255\n....',
    'git lfs pointer': 'version https://git-lfs.github.com/spec/v1',
  };
  for (const [name, content] of Object.entries(text)) {
    await t.throwsAsync(decodeImage(Buffer.from(content)), {
      code: 'ERR_NLRCNN_IMAGE',
      message: new RegExp(`is ${name}$`),
    });
  }
  const hex = {
    gif: '474946383961',
    heif: '0000001866747970686569630000',
    avif: '0000001c6674797061766966',
    bmp: '424d0000',
  };
  for (const [name, content] of Object.entries(hex)) {
    await t.throwsAsync(decodeImage(Buffer.from(content, 'hex')), {
      code: 'ERR_NLRCNN_IMAGE',
      message: new RegExp(`is ${name}$`),
    });
  }
  await t.throwsAsync(decodeImage(Buffer.from('some text')), { message: /no known format/ });
  // Comments that a careless pattern would take for ever.
  await t.throwsAsync(decodeImage(Buffer.from('<!-- -->'.repeat(1000))), { message: /no known format/ });
});

test('devices, which have no end, are no images', async (t) => {
  await t.throwsAsync(decodeImage('/dev/zero'), { code: 'ERR_NLRCNN_IO', message: /is a device/ });
  await t.throwsAsync(decodeImage('a\0b'), { code: 'ERR_NLRCNN_IO' });
});

test.serial(
  'integers without a white need a model that measures the range; floats outside of 0 to 1 warn',
  async (t) => {
    for (const name of ['int8.tif', 'int16.tif', 'int32.tif', 'uint32.tif', 'int64.tif']) {
      await t.throwsAsync(decodeCaptured({ path: fixture(name) }, { scaled: true }), {
        code: 'ERR_NLRCNN_IMAGE',
        message: /integers of \d+ bits, whose white is unknown/,
      });
    }
    const sample = { id: 0, name: 'a', image: fixture('int16.tif'), width: 7, height: 5, instances: [] };
    await t.throwsAsync(decodeSample(sample, 'none'), {
      code: 'ERR_NLRCNN_IMAGE',
      message: /white is unknown/,
    });
    const { pixels } = await decodeSample(sample, { percentiles: [0, 100] });
    t.true(pixels instanceof Float32Array && pixels.some((value) => value < -1000));

    using model = await loadModel();
    t.is((await model.segment(fixture('int16.tif'))).width, 7);

    resetWarnings();
    const warnings: string[] = [];
    const listen = (warning: Error & { code?: string }) => warnings.push(String(warning.code));
    process.on('warning', listen);
    await decodeCaptured({ path: fixture('float32.tif') });
    await decodeCaptured({ path: fixture('uint16.tif') }, { scaled: true });
    await new Promise((resolve) => setImmediate(resolve));
    t.deepEqual(warnings, []);
    await decodeCaptured({ path: fixture('float32.tif') }, { scaled: true });
    await decodeCaptured({ path: fixture('float32.tif') }, { scaled: true });
    await decodeImage(fixture('pages.tif'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    t.deepEqual(warnings, ['NLRCNN_FLOAT_RANGE', 'NLRCNN_PAGES']);
  },
);
