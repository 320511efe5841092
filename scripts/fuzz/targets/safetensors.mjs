import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensure } from '../findings.mjs';
import { mutateBytes, mutateJson } from '../mutate.mjs';
import { load, scratch } from '../package.mjs';

const { readStateDict, readClassNames } = load('weights/load.js');
const { writeSafetensors } = load('weights/write-safetensors.js');
const folder = scratch('safetensors');

const fileOf = (header, data) => {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
};
const tensor = (dtype, shape, from, to) => ({ dtype, shape, data_offsets: [from, to] });

export const seeds = () => [
  fileOf(
    {
      'a.weight': tensor('F32', [2, 3], 0, 24),
      b: tensor('F16', [2], 24, 28),
      c: tensor('BF16', [1], 28, 30),
      d: tensor('F64', [], 30, 38),
    },
    Buffer.alloc(38, 'abcd'),
  ),
  fileOf(
    {
      __metadata__: { 'nlrcnn.config': '{"class_names":["a","b"]}' },
      a: tensor('F32', [0, 7], 0, 0),
      b: tensor('F32', [1], 0, 4),
    },
    Buffer.alloc(4),
  ),
  fileOf(
    { a: tensor('I64', [1], 0, 8), 'x.num_batches_tracked': tensor('I64', [], 8, 16) },
    Buffer.alloc(16),
  ),
];
export const options = {
  keys: ['dtype', 'shape', 'data_offsets', '__metadata__', '__proto__', 'a', 'b'],
  dictionary: ['"dtype"', '"F32"', '"F64"', 'data_offsets', '[0,0]', '__proto__', '\\u0000'],
};

/** The header is changed as JSON, and gets its right length again; or any byte. */
export function mutate(random, bytes, given) {
  if (random.chance(0.3) || bytes.length < 8) return mutateBytes(random, bytes, given);
  const length = Number(bytes.readBigUInt64LE(0));
  if (length > bytes.length - 8) return mutateBytes(random, bytes, given);
  const header = mutateJson(random, bytes.subarray(8, 8 + length), { ...given, others: [] });
  return fileOf(
    header.toString('latin1') === header.toString() ? header.toString() : header,
    bytes.subarray(8 + length),
  );
}

export async function run(bytes) {
  const path = join(folder, 'x.safetensors');
  writeFileSync(path, bytes);
  const state = await readStateDict(path);
  const again = join(folder, 'again.safetensors');
  await writeSafetensors(again, state);
  const back = await readStateDict(again);
  ensure(back.size === state.size, 'a written file has other tensors');
  for (const [name, { shape, data }] of state) {
    const own = back.get(name);
    ensure(own && own.shape.join() === shape.join(), () => `${name} comes back of another shape`);
    ensure(
      Buffer.compare(
        Buffer.from(own.data.buffer, own.data.byteOffset, own.data.byteLength),
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      ) === 0,
      () => `${name} comes back with other values`,
    );
  }
  await readClassNames?.(path);
}
