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
