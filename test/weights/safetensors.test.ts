import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { SafetensorsFile } from '../../dist/weights/safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
let files = 0;

/** A file of a header (object or text) and data; `length` overrides the header's own. */
function save(header: unknown, data: Uint8Array = new Uint8Array(0), length?: bigint): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, Buffer.concat([prefix, text, data]));
  return path;
}

const tensor = (dtype: string, shape: unknown, from: number, to: number) => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

test('F32, F16, BF16 and F64 are read as float32', async (t) => {
  const values = new Float32Array([1, -0.5, 65504, 0]);
  const f16 = new Uint16Array([0x3c00, 0xb800, 0x7bff, 0x0001]);
  const bf16 = new Uint16Array([0x3f80, 0xbf00, 0x7f7f, 0x8000]);
  const f64 = new Float64Array([1, -0.5, 65504, 1e-3]);
  const data = Buffer.concat([values, f16, bf16, f64].map((array) => Buffer.from(array.buffer)));
  const header = {
    __metadata__: { note: 'a' },
    a: tensor('F32', [2, 2], 0, 16),
    b: tensor('F16', [4], 16, 24),
    c: tensor('BF16', [4], 24, 32),
    d: tensor('F64', [4], 32, 64),
  };
  const file = await SafetensorsFile.open(save(header, data));
  t.is(file.metadata.note, 'a');
  t.deepEqual(file.entries.get('a')!.shape, [2, 2]);
  t.deepEqual(await file.read('a'), values);
  t.deepEqual(Array.from(await file.read('b')), [1, -0.5, 65504, 2 ** -24]);
  t.deepEqual(Array.from(await file.read('c')), [1, -0.5, 3.3895313892515355e38, -0]);
  t.deepEqual(Array.from(await file.read('d')), [1, -0.5, 65504, Math.fround(1e-3)]);
  await file.close();
});

test('hostile and broken files are refused', async (t) => {
  const four = new Uint8Array(4);
  const broken: [string, string][] = [
    ['too short', join(folder, 'short')],
    ['header past the end', save({}, four, 1000n)],
    ['header of 2^63 bytes', save({}, four, 1n << 63n)],
    ['header no JSON', save('{"a":', four)],
    ['header no object', save('[1]', four)],
    ['unknown dtype', save({ a: tensor('F12', [1], 0, 4) }, four)],
    ['negative dimension', save({ a: tensor('F32', [-1], 0, 4) }, four)],
    ['giant shape', save({ a: tensor('F32', [2 ** 40, 2 ** 40], 0, 4) }, four)],
    ['shape no array', save({ a: tensor('F32', 'x', 0, 4) }, four)],
    ['offsets beyond the end', save({ a: tensor('F32', [2], 0, 8) }, four)],
    ['offsets turned', save({ a: tensor('F32', [1], 4, 0) }, four)],
    ['offsets that overlap', save({ a: tensor('F32', [1], 0, 4), b: tensor('F32', [1], 0, 4) }, four)],
    ['a gap', save({ a: tensor('F32', [1], 4, 8) }, new Uint8Array(8))],
    ['trailing bytes', save({ a: tensor('F32', [1], 0, 4) }, new Uint8Array(8))],
    ['an entry that is null', save({ a: null }, four)],
  ];
  writeFileSync(join(folder, 'short'), 'abc');
  for (const [what, path] of broken) {
    await t.throwsAsync(SafetensorsFile.open(path), { code: 'ERR_NLRCNN_WEIGHTS' }, what);
  }
  await t.throwsAsync(SafetensorsFile.open(folder), { code: 'ERR_NLRCNN_IO' });
  await t.throwsAsync(SafetensorsFile.open(join(folder, 'none')), { code: 'ERR_NLRCNN_IO' });
});
