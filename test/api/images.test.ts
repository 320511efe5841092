import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { decodeImage, loadModel } from '../../dist/index.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const WIDTH = 12;
const HEIGHT = 8;
const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * 37) % 256);
const image = () => sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

test('PNG, lossless WebP and TIFF decode to the same pixels, JPEG to near ones', async (t) => {
  for (const bytes of [
    await image().png().toBuffer(),
    await image().webp({ lossless: true }).toBuffer(),
    await image().tiff({ compression: 'lzw' }).toBuffer(),
  ]) {
    const { data, ...rest } = await decodeImage(bytes);
    t.deepEqual(rest, { width: WIDTH, height: HEIGHT, channels: 3 });
    t.deepEqual(new Uint8Array(data), rgb);
  }
  const jpeg = await decodeImage(await image().jpeg().toBuffer());
  t.is(jpeg.data.length, rgb.length);
});

test('16 bit and gray are kept, alpha is dropped', async (t) => {
  const wide = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => i * 600);
  const gray16 = sharp(wide, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } }).toColourspace('grey16');
  for (const bytes of [
    await gray16.clone().png().toBuffer(),
    await gray16.clone().tiff({ compression: 'none' }).toBuffer(),
  ]) {
    const { data, channels } = await decodeImage(bytes);
    t.is(channels, 1);
    t.deepEqual(Array.from(data), Array.from(wide));
  }
  const alpha = await decodeImage(await image().ensureAlpha(0.5).png().toBuffer());
  t.is(alpha.channels, 3);
  t.deepEqual(new Uint8Array(alpha.data), rgb);
  const raw = await decodeImage({ data: new Uint8Array([1, 9, 2, 9]), width: 2, height: 1, channels: 2 });
  t.deepEqual(raw, { data: new Uint8Array([1, 2]), width: 2, height: 1, channels: 1 });
});

test('EXIF orientation is honoured', async (t) => {
  const turned = await decodeImage(await image().png().withMetadata({ orientation: 6 }).toBuffer());
  t.deepEqual([turned.width, turned.height], [HEIGHT, WIDTH]);
  const first = [0, 1, 2].map((c) => turned.data[c]);
  t.deepEqual(first, Array.from(rgb.subarray((HEIGHT - 1) * WIDTH * 3, (HEIGHT - 1) * WIDTH * 3 + 3)));
});

test('what is no whole picture is refused with a code and a sentence', async (t) => {
  const png = await image().png().toBuffer();
  const jpeg = await sharp({ create: { width: 200, height: 200, channels: 3, background: '#824' } })
    .jpeg()
    .toBuffer();
  const path = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const code = { code: 'ERR_NLRCNN_IMAGE' };
  await t.throwsAsync(decodeImage(new Uint8Array(0)), { ...code, message: /the buffer is empty/ });
  await t.throwsAsync(decodeImage(path('empty.png', new Uint8Array(0))), {
    ...code,
    message: /empty\.png is empty/,
  });
  await t.throwsAsync(decodeImage(png.subarray(0, png.length / 2)), code);
  await t.throwsAsync(decodeImage(jpeg.subarray(0, jpeg.length / 2)), code);
  await t.throwsAsync(decodeImage(path('text.png', Buffer.from('no picture'))), code);
  const corrupt = Buffer.from(png);
  corrupt.fill(7, 40, 70);
  await t.throwsAsync(decodeImage(corrupt), code);
  await t.throwsAsync(decodeImage(await image().gif().toBuffer()), { ...code, message: /is gif/ });
  await t.throwsAsync(decodeImage(folder), { code: 'ERR_NLRCNN_IO', message: /is a directory/ });
  await t.throwsAsync(decodeImage(join(folder, 'none.png')), {
    code: 'ERR_NLRCNN_IO',
    message: /does not exist/,
  });
  await t.throwsAsync(decodeImage({ data: rgb, width: 5, height: 5, channels: 3 }), {
    code: 'ERR_NLRCNN_SHAPE',
  });
  await t.throwsAsync(decodeImage({ data: rgb, width: 0, height: 5, channels: 3 }), {
    code: 'ERR_NLRCNN_ARGUMENT',
  });
  await t.throwsAsync(decodeImage({ data: [1] as never, width: 1, height: 1, channels: 1 }), {
    code: 'ERR_NLRCNN_ARGUMENT',
  });
  await t.throwsAsync(decodeImage(null as never), { code: 'ERR_NLRCNN_ARGUMENT' });
});

test('pictures of one pixel, very wide ones and NaN pixels neither crash nor hang', async (t) => {
  using model = await loadModel();
  const gray = (width: number, height: number) => ({
    data: new Uint8Array(width * height).fill(90),
    width,
    height,
    channels: 1 as const,
  });
  for (const picture of [gray(1, 1), gray(20000, 3), gray(3, 2000)]) {
    const { width, height } = await model.segment(picture);
    t.deepEqual([width, height], [picture.width, picture.height]);
  }
  const nan = {
    data: new Float32Array(64 * 64).fill(Number.NaN),
    width: 64,
    height: 64,
    channels: 1 as const,
  };
  await t.throwsAsync(model.segment(nan), { code: 'ERR_NLRCNN_IMAGE', message: /finite pixels/ });
  t.true((await model.segment(gray(64, 64))).detections.length >= 0);
});
