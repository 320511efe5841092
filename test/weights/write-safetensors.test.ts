import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { SafetensorsFile } from '../../dist/weights/safetensors.js';
import { toFloat16, toFloat32 } from '../../dist/weights/weights-file.js';
import { type StoredTensor, writeSafetensors } from '../../dist/weights/write-safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);

test('what is written is read back, whatever the shape', async (t) => {
  const tensors = new Map<string, StoredTensor>([
    ['a.weight', { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 1e-30, 3e38, -0) }],
    ['empty', { shape: [0, 4], data: new Float32Array(0) }],
    ['scalar', { shape: [], data: Float32Array.of(7) }],
    ['lazy', { shape: [2], data: async () => Float32Array.of(8, 9) }],
    ['half', { shape: [3], dtype: 'F16', data: Float32Array.of(0.1, 65504, -6e-8) }],
    ['größe', { shape: [1], data: new Float32Array([0, 5]).subarray(1) }],
    ['labels', { shape: [2], dtype: 'I32', data: Int32Array.of(-1, 2 ** 30) }],
    ['mask', { shape: [3], dtype: 'U8', data: Uint8Array.of(0, 255, 1) }],
  ]);
  const path = fresh();
  const written = await writeSafetensors(path, tensors, { note: 'ä "quoted"' });
  const bytes = readFileSync(path);
  t.is(written.bytes, bytes.length);
  t.is(written.sha256, createHash('sha256').update(bytes).digest('hex'));
  t.is(Number(bytes.readBigUInt64LE(0)) % 8, 0);
  const file = await SafetensorsFile.open(path);
  t.is(file.metadata.note, 'ä "quoted"');
  t.deepEqual([...file.entries.keys()], [...tensors.keys()]);
  for (const [name, { shape, data, dtype }] of tensors) {
    t.deepEqual(file.entries.get(name)!.shape, shape as number[]);
    if (dtype === undefined && typeof data !== 'function')
      t.deepEqual(await file.read(name), data as Float32Array);
  }
  t.deepEqual(await file.read('lazy'), Float32Array.of(8, 9));
  t.deepEqual(Array.from(await file.read('half')), [0.0999755859375, 65504, -(2 ** -24)]);
  await file.close();
  const raw = bytes.subarray(bytes.length - 11);
  t.is(raw.readInt32LE(0), -1);
  t.deepEqual([...raw.subarray(8)], [0, 255, 1]);
});

test('every half comes back from its float; what lies between goes to the nearest, ties to even', (t) => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
  const floats = toFloat32('F16', new Uint8Array(all.buffer));
  const back = toFloat16(floats);
  for (const [bits, value] of floats.entries()) {
    if (Number.isNaN(value)) t.true((back[bits]! & 0x7c00) === 0x7c00 && (back[bits]! & 0x3ff) !== 0);
    else if (back[bits] !== bits) t.fail(`${value} became ${back[bits]} and not ${bits}`);
  }
  // Of all neighbours: their middle goes to the even one, a little more or less to the nearer.
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [floats[bits]!, floats[bits + 1]!];
    const middle = (low + high) / 2;
    const step = Math.max(middle * 2 ** -23, 2 ** -40);
    const made = toFloat16(Float32Array.of(middle - step, middle, middle + step));
    const even = bits % 2 === 0 ? bits : bits + 1;
    if (made[0] !== bits || made[1] !== even || made[2] !== bits + 1)
      t.fail(`between ${low} and ${high}: ${made}`);
  }
  t.deepEqual([...toFloat16(Float32Array.of(65519, 65520, -1e9, -0))], [0x7bff, 0x7c00, 0xfc00, 0x8000]);
});

test('data that is not as declared is refused', async (t) => {
  const write = (tensor: StoredTensor) => writeSafetensors(fresh(), new Map([['a', tensor]]));
  await t.throwsAsync(write({ shape: [3], data: new Float32Array(2) }), {
    code: 'ERR_NLRCNN_SHAPE',
    message: /3 values of a for shape \[3\] but received 2/,
  });
  await t.throwsAsync(write({ shape: [2], dtype: 'I32', data: new Float32Array(2) }), {
    code: 'ERR_NLRCNN_DTYPE',
  });
  await t.throwsAsync(write({ shape: [2], dtype: 'F16', data: Float32Array.of(1, 7e4) }), {
    code: 'ERR_NLRCNN_WEIGHTS',
    message: /within ±65504 for fp16 but received 70000/,
  });
  const nowhere = join(folder, 'none', 'a.safetensors');
  await t.throwsAsync(writeSafetensors(nowhere, new Map()), { code: 'ERR_NLRCNN_IO' });
  t.false(existsSync(nowhere));
});
