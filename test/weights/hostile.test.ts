import { performance } from 'node:perf_hooks';
import test from 'ava';
import { Unpickler } from '../../dist/weights/pickle.js';
import { parsePytorch } from '../../dist/weights/pytorch.js';
import { parseSafetensors } from '../../dist/weights/safetensors.js';
import { type ZipEntry, zipOf } from '../helpers/zip.js';

const code = 'ERR_NLRCNN_WEIGHTS';
/** Far above what anything here takes, far below what cost without a bound would. */
const SECONDS = 60;

function header(text: string, data = new Uint8Array(0)): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([prefix, bytes, data]);
}

const entry = (shape: string, from: number, to: number) =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${from},${to}]}`;

/** A checkpoint of this description, with eight zero floats as storage 0. */
const checkpoint = (pickle: Uint8Array, more: ZipEntry[] = []) =>
  zipOf([
    { name: 'archive/data.pkl', data: pickle },
    ...more,
    { name: 'archive/data/0', data: new Uint8Array(32) },
  ]);

const ops = (...parts: (string | number[] | Uint8Array)[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  );
const text = (value: string) => ops('X', [value.length, 0, 0, 0], value);

/** A pickle of {name: tensor} whose tensor has this offset, shape and strides, all as opcodes. */
const tensorOf = (offset: string, shape: string, strides: string, name = 'a.weight') =>
  ops(
    [0x80, 2],
    '}',
    text(name),
    'ctorch._utils\n_rebuild_tensor_v2\n(',
    '(',
    text('storage'),
    'ctorch\nFloatStorage\n',
    text('0'),
    text('cpu'),
    'K\u0008tQ',
    offset,
    shape,
    strides,
    '\x89}tR',
    's.',
  );

async function within(t: { true(value: boolean): void }, work: () => Promise<unknown>) {
  const start = performance.now();
  await work();
  t.true(performance.now() - start < SECONDS * 1000);
}

test('safetensors: names twice, depth, and counts are bounded', async (t) => {
  const four = new Uint8Array(4);
  const one = entry('[1]', 0, 4);
  const broken: [string, Buffer, RegExp][] = [
    ['a name twice', header(`{"a":${one},"a":${one}}`, four), /the key a is there twice/],
    ['twice by an escape', header(`{"a":${one},"\\u0061":${one}}`, four), /the key a is there twice/],
    ['metadata twice', header('{"__metadata__":{},"__metadata__":{}}'), /is there twice/],
    ['nested arrays', header(`{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`), /nested more than 3 deep/],
    ['nested objects', header(`${'{"a":'.repeat(1e6)}1${'}'.repeat(1e6)}`), /nested more than 3 deep/],
    ['a shape of shapes', header(`{"a":${entry('[[1]]', 0, 4)}}`, four), /nested|a shape of a/],
    ['no end of a string', header('{"a'), /a string has no end/],
    ['closed before opened', header(']}'), /JSON/],
    ['metadata of numbers', header('{"__metadata__":{"a":1}}'), /strings but a is none/],
    ['metadata a list', header('{"__metadata__":[]}'), /to be an object/],
    [
      'dtype of a prototype',
      header(`{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,4]}}`, four),
      /dtype/,
    ],
    [
      'a product past 2^53',
      header(`{"a":${entry('[4294967296,4294967296,4294967296]', 0, 4)}}`, four),
      /span 4/,
    ],
    [
      'a product that is no number',
      header(`{"a":${entry(`[${Array(40).fill(2 ** 40)},0]`, 0, 0)}}`),
      /span 0/,
    ],
    ['a fraction', header(`{"a":${entry('[0.5]', 0, 2)}}`, four), /a shape of a/],
    ['past the end', header(`{"a":${entry('[2]', 0, 8)}}`, four), /cut short, download it again/],
    ['utf-8 that is none', header('{"\xff": 1}'.replace('\xff', '\u00ff'), four), /dtype of ÿ/],
  ];
  for (const [what, bytes, message] of broken) {
    await within(t, () => t.throwsAsync(parseSafetensors(bytes), { code, message }, what));
  }
  const many = Array.from({ length: 1_000_000 }, (_, i) => `"t${i}":${entry('[0]', 0, 0)}`);
  await within(t, () =>
    t.throwsAsync(parseSafetensors(header(`{${many}}`)), { code, message: /100001 keys/ }),
  );
  const long = header('{}', four);
  long.writeBigUInt64LE(100_000_001n);
  await t.throwsAsync(parseSafetensors(long), { code, message: /at most 100000000 bytes/ });
});

test('safetensors: names of prototypes are names; what numbers are not read is known', async (t) => {
  const names = ['__proto__', 'constructor', 'toString'];
  const entries = names.map((name, i) => `"${name}":${entry('[1]', 4 * i, 4 * i + 4)}`);
  const meta = '"__metadata__":{"__proto__":"x","nlrcnn.config":"y"}';
  const data = new Uint8Array(new Float32Array([1, 2, 3]).buffer);
  const file = await parseSafetensors(header(`{${meta},${entries}}`, data));
  t.deepEqual([...file.entries.keys()], names);
  t.deepEqual(await file.read('__proto__'), new Float32Array([1]));
  t.is(file.metadata['nlrcnn.config'], 'y');
  t.is(file.metadata.toString as unknown, undefined);
  t.is((Object.prototype as Record<string, unknown>).x, undefined);
  const eight = header('{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}', new Uint8Array(2));
  const other = await parseSafetensors(eight);
  await t.throwsAsync(other.read('a'), { code, message: /received F8_E4M3/ });
  // Odd places: tensors need no alignment.
  const odd = await parseSafetensors(
    header(
      `{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":${entry('[1]', 1, 5)}}`,
      Buffer.from('00' + '0000803f', 'hex'),
    ),
  );
  t.deepEqual(await odd.read('a'), new Float32Array([1]));
});

test('pickles: lengths, depth, counts and references are bounded', async (t) => {
  const repeat = (op: string, count: number) => ops([0x80, 2], op.repeat(count), '.');
  const memo = '(]q\0h\0h\0h\0e0h\0'; // a list within itself
  const broken: [string, Buffer, RegExp][] = [
    ['LONG4 past the end', ops([0x80, 2, 0x8b, 0xff, 0xff, 0xff, 0x7f]), /integer of 2147483647 bytes/],
    [
      'LONG4 of a megabyte',
      ops([0x80, 2, 0x8b, 0, 0, 16, 0], Buffer.alloc(1 << 20, 1)),
      /integer of 1048576 bytes/,
    ],
    ['LONG of digits', ops(`L${'9'.repeat(1e6)}L\n.`), /a number that is none/],
    ['BINBYTES8 past the end', ops([0x80, 4, 0x8e, 255, 255, 255, 255, 255, 255, 255, 127]), /ends early/],
    ['BINUNICODE8 past the end', ops([0x80, 4, 0x8d, 0, 0, 0, 0, 0, 1, 0, 0]), /ends early/],
    ['BYTEARRAY8 past the end', ops([0x80, 5, 0x96, 0, 0, 0, 0, 0, 1, 0, 0]), /ends early/],
    ['FRAME past the end', ops([0x80, 4, 0x95, 1, 2]), /ends early/],
    ['NEXT_BUFFER', ops([0x80, 5, 0x97, 0x2e]), /buffers outside of it/],
    ['EXT1', ops([0x80, 2, 0x82, 1, 0x2e]), /extension registry/],
    ['protocol 6', ops([0x80, 6, 0x2e]), /protocol 6/],
    ['an opcode that is none', ops([0x80, 2, 0xff]), /opcode 0xff/],
    ['STOP alone', ops([0x80, 2], '.'), /stack is empty/],
    ['a mark as a value', ops([0x80, 2], '(.'), /stack is empty/],
    ['TUPLE without a mark', ops([0x80, 2], 'Nt.'), /without a mark/],
    ['a reference to nothing', ops([0x80, 2], 'h\x07.'), /refers to what it does not have/],
    ['a name that is a list', ops([0x80, 4], ']]', [0x93], '.'), /class that has no name/],
    ['endless marks', repeat('(', 10_000_000), /more than 8000000 values/],
    ['endless dicts', repeat('}', 10_000_000), /more than 8000000 values/],
    ['endless references', ops([0x80, 2], ']q\0', 'h\0'.repeat(10_000_000), '.'), /more than 8000000 values/],
    [
      'pairs again and again',
      ops(
        [0x80, 2],
        ']q\0(',
        ']'.repeat(100_000),
        'e0',
        'ccollections\nOrderedDict\nh\0\x85R0'.repeat(1000),
        'N.',
      ),
      /more than 8000000 values/,
    ],
    ['tuples in one another', ops([0x80, 2], 'N', '\x85'.repeat(1_000_000), '.'), /a list of 1 values/],
    ['a list in itself', ops([0x80, 2], ']', memo, '.'), /a list of/],
    [
      'a dict in itself',
      ops([0x80, 2], '}q\0', text('model'), 'h\0s', text('x'), 'h\0s.'),
      /a dict of model, x/,
    ],
    ['a dict as its own key', ops([0x80, 2], '}q\0h\0h\0s.'), /a dict of/],
    [
      'a parameter of itself',
      ops(
        [0x80, 2],
        '}',
        text('a.b'),
        'ctorch._utils\n_rebuild_parameter\n(]q\0NNtR',
        'h\0'.repeat(3),
        '0000s.',
      ),
      /./,
    ],
  ];
  for (const [what, bytes, message] of broken) {
    await within(t, () => t.throwsAsync(parsePytorch(checkpoint(bytes)), { code, message }, what));
  }
});

test('pickles: every protocol is read alike', (t) => {
  const load = (bytes: Uint8Array) => new Unpickler(bytes).load();
  t.deepEqual(load(ops("(lp0\nI1\naI01\naL-12345678901234567890L\naF1.5\naVx\naS'y'\nag0\n0.")), [
    1,
    true,
    -12345678901234567890n,
    1.5,
    'x',
    'y',
  ] as unknown);
  t.deepEqual(
    load(ops('(dVa\nI0\nsVb\n(I1\nI2\nts.')),
    new Map<string, unknown>([
      ['a', 0],
      ['b', [1, 2]],
    ]),
  );
  t.deepEqual(load(ops([0x80, 4, 0x95, 9, 0, 0, 0, 0, 0, 0, 0, 0x28, 0x4b, 1, 0x4b, 2, 0x91, 0x2e])), [1, 2]);
  t.deepEqual(load(ops([0x80, 2, 0x8a, 2, 0xff, 0x80, 0x2e])), -32513);
  t.deepEqual(load(ops([0x80, 5, 0x96, 2, 0, 0, 0, 0, 0, 0, 0, 7, 8, 0x2e])), Buffer.from([7, 8]).subarray());
});

test('tensors: views within their storage alone', async (t) => {
  const read = async (offset: string, shape: string, strides: string) => {
    const file = await parsePytorch(checkpoint(tensorOf(offset, shape, strides)));
    return file.read('a.weight');
  };
  t.is((await read('K\0', 'K\x02K\x04\x86', 'K\x04K\x01\x86')).length, 8);
  t.is((await read('K\0', 'K\0K\x09\x86', 'K\x09K\x01\x86')).length, 0);
  t.is((await read('K\x07', ')', ')')).length, 1);
  const broken: [string, string, string, RegExp][] = [
    ['K\x01', 'K\x08\x85', 'K\x01\x85', /9 values in the storage of a\.weight but received 8/],
    ['K\0', 'K\x02\x85', 'K\x08\x85', /9 values in the storage/],
    ['K\0', 'J\xff\xff\xff\xff\x85', 'K\x01\x85', /without a shape/],
    ['J\xff\xff\xff\xff', 'K\x01\x85', 'K\x01\x85', /without a storage/],
    ['K\0', 'K\x01\x85', ')', /without strides/],
    ['K\0', 'N', ')', /without a shape/],
    ['K\0', 'J\xff\xff\xff\x7f\x85', 'K\0\x85', /values as large as the file/],
    [
      'K\0',
      'J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x87',
      'K\0K\0K\0\x87',
      /as large as the file/,
    ],
  ];
  for (const [offset, shape, strides, message] of broken) {
    await t.throwsAsync(read(offset, shape, strides), { code, message }, `${message}`);
  }
  const bare = zipOf([{ name: 'archive/data.pkl', data: tensorOf('K\0', 'K\x01\x85', 'K\x01\x85') }]);
  await t.throwsAsync((await parsePytorch(bare)).read('a.weight'), { code, message: /storage is missing/ });
});

test('zip archives: nothing compressed, twice, outside or of another byte order', async (t) => {
  const pickle = tensorOf('K\0', 'K\x01\x85', 'K\x01\x85');
  const attempt = async (bytes: Uint8Array) => (await parsePytorch(bytes)).read('a.weight');
  t.is((await attempt(checkpoint(pickle))).length, 1);
  t.is(
    (await attempt(checkpoint(pickle, [{ name: 'archive/byteorder', data: Buffer.from('little') }]))).length,
    1,
  );
  const broken: [string, Buffer, RegExp][] = [
    [
      'big-endian',
      checkpoint(pickle, [{ name: 'archive/byteorder', data: Buffer.from('big') }]),
      /big-endian machine/,
    ],
    [
      'a bomb',
      checkpoint(pickle, [{ name: 'archive/data/1', data: Buffer.alloc(9), method: 8, unpacked: 4e9 }]),
      /is compressed or encrypted/,
    ],
    [
      'stored, but larger',
      checkpoint(pickle, [{ name: 'archive/data/1', data: Buffer.alloc(9), unpacked: 4e9 }]),
      /a sound zip archive/,
    ],
    [
      'a file twice',
      checkpoint(pickle, [{ name: 'archive/data/0', data: Buffer.alloc(9) }]),
      /is there twice/,
    ],
    ['two descriptions', checkpoint(pickle, [{ name: 'other/data.pkl', data: pickle }]), /2 descriptions/],
    ['a path outside', checkpoint(pickle, [{ name: '../x', data: pickle }]), /a sound zip archive/],
    ['an absolute path', checkpoint(pickle, [{ name: '/x', data: pickle }]), /a sound zip archive/],
  ];
  for (const [what, bytes, message] of broken) await t.throwsAsync(attempt(bytes), { code, message }, what);
  const moved = checkpoint(pickle);
  const place = moved.lastIndexOf(Buffer.from('504b0102', 'hex'));
  moved.writeUInt32LE(3, place + 42);
  await t.throwsAsync(attempt(moved), { code, message: /where its directory says/ });
  moved.writeUInt32LE(0xfffffff0, place + 42);
  await t.throwsAsync(attempt(moved), { code, message: /ends at/ });
});
