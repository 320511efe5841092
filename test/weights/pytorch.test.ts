import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openPytorch } from '../../dist/weights/pytorch.js';
import { readJson } from '../helpers/model-cases.js';

const FOLDER = join(__dirname, '..', '..', 'test', 'fixtures', 'checkpoints');
const values = readJson('fixtures', 'checkpoints', 'values.json') as Record<
  'state' | 'training',
  Record<string, { shape: number[]; values: number[] }>
>;

for (const [name, group] of [
  ['zip.pth', 'state'],
  ['legacy.pth', 'state'],
  ['training.pth', 'training'],
  ['training-legacy.pth', 'training'],
] as const) {
  test(`${name}: tensors are those that torch saved`, async (t) => {
    const file = await openPytorch(join(FOLDER, name));
    t.true(file.entries.size > Object.keys(values[group]).length); // integers are listed, too
    for (const [key, { shape, values: expected }] of Object.entries(values[group])) {
      t.deepEqual(file.entries.get(key)?.shape, shape, key);
      t.deepEqual(Array.from(await file.read(key)), expected, key);
    }
    const integer = [...file.entries.keys()].find((key) => key.endsWith('num_batches_tracked'))!;
    await t.throwsAsync(file.read(integer), { code: 'ERR_NLRCNN_WEIGHTS', message: /LongStorage/ });
    await file.close();
  });
}

test('nothing that a pickle names is executed', async (t) => {
  const file = await openPytorch(join(FOLDER, 'hostile.pth'));
  t.deepEqual([...file.entries.keys()], ['weight']);
  await file.close();
  t.false(existsSync('hostile-was-executed'));
});

test('broken files are refused, wherever they are cut or bent', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  const path = join(folder, 'broken.pth');
  const attempt = async (bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    const file = await openPytorch(path);
    try {
      for (const name of file.entries.keys()) if (!name.endsWith('tracked')) await file.read(name);
    } finally {
      await file.close();
    }
  };
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.pth'))) {
    const bytes = readFileSync(join(FOLDER, name));
    for (let part = 0; part < 20; part++) {
      await t.throwsAsync(
        attempt(bytes.subarray(0, Math.floor((bytes.length * part) / 20))),
        { code: 'ERR_NLRCNN_WEIGHTS' },
        `${name} ${part}`,
      );
      const bent = Buffer.from(bytes);
      const at = Math.floor((bytes.length * part) / 20);
      bent.fill(0xff, at, at + 40);
      // What only bends values may pass; anything else has our code.
      await attempt(bent).catch((error: { code?: string }) => t.is(error.code, 'ERR_NLRCNN_WEIGHTS'));
    }
  }
  await t.throwsAsync(openPytorch(join(folder, 'none.pth')), { code: 'ERR_NLRCNN_IO' });
  await t.throwsAsync(openPytorch(folder), { code: 'ERR_NLRCNN_IO' });
});
