import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readLabelImage } from '../../dist/datasets/label-image.js';
import { decodeImage } from '../../dist/index.js';

type Expected<T> = { error: string } | T;
interface File {
  image: Expected<{ dtype: 'uint8' | 'uint16' | 'float32'; shape: number[]; values: (number | string)[] }>;
  labels: Expected<{ values: number[] }>;
}

const folder = join(__dirname, '..', '..', 'test', 'fixtures', 'images');
const files = Object.entries(JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))) as [
  string,
  File,
][];
const KINDS = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const NUMBERS = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
]);

for (const [name, { image, labels }] of files) {
  const path = join(folder, name);

  test(`${name} as an image`, async (t) => {
    if ('error' in image) {
      await t.throwsAsync(decodeImage(path), { code: 'ERR_NLRCNN_IMAGE', message: new RegExp(image.error) });
      return;
    }
    for (const input of [path, readFileSync(path)]) {
      const { data, width, height, channels } = await decodeImage(input);
      t.deepEqual([height, width, channels] as number[], image.shape);
      t.true(data instanceof KINDS[image.dtype], `${data.constructor.name}, expected ${image.dtype}`);
      t.deepEqual(
        Array.from(data),
        image.values.map((value) => (typeof value === 'string' ? NUMBERS.get(value)! : value)),
      );
    }
  });

  test(`${name} as labels`, async (t) => {
    if ('error' in labels) {
      const { message, code } = (await t.throwsAsync(readLabelImage(path))) as Error & { code: string };
      t.regex(message, new RegExp(labels.error));
      t.true(['ERR_NLRCNN_IMAGE', 'ERR_NLRCNN_DATASET'].includes(code), code);
      return;
    }
    t.deepEqual(Array.from((await readLabelImage(path)).data), labels.values);
  });
}

/** float64.tif, 7 × 5, with other bytes in its directory of 11 entries at 288. */
function directoryWith(index: number, tag: number, type: number, value: number): Buffer {
  const bytes = readFileSync(join(folder, 'float64.tif'));
  const entry = 288 + 2 + 12 * index;
  bytes.writeUInt16LE(tag, entry);
  bytes.writeUInt16LE(type, entry + 2);
  bytes.writeUInt32LE(1, entry + 4);
  bytes.writeUInt32LE(value, entry + 8);
  return bytes;
}

test('a TIFF directory is read as libtiff reads it, or refused', async (t) => {
  // Found by the fuzzer: the width there twice, of which the decoder takes the first.
  const twice = directoryWith(9, 256, 4, 3);
  const { data, width, height } = await decodeImage(twice);
  t.deepEqual([data.length, width, height], [35, 7, 5]);
  const found = readFileSync(join(folder, '..', '..', 'fuzz', 'corpus', 'image', 'f669f1018245'));
  const image = await decodeImage(found);
  t.is(image.data.length, image.width * image.height * image.channels);
  // A byte cannot hold twice the width, which 64-bit samples are decoded with.
  await t.throwsAsync(decodeImage(directoryWith(0, 256, 1, 130)), {
    code: 'ERR_NLRCNN_IMAGE',
    message: /two things of its pixels/,
  });
});
