import { runInNewContext } from 'node:vm';
import test from 'ava';
import ndarray from 'ndarray';
import { binding, type TypedArray } from '../../dist/binding.js';
import { eager, Recorder, single } from '../../dist/device.js';
import { isNlrcnnError, NlrcnnError } from '../../dist/errors.js';
import { encodeRle } from '../../dist/masks/rle.js';
import { nms } from '../../dist/ops/nms.js';
import { Tensor } from '../../dist/tensor.js';
import { runScript } from '../helpers/run-node.js';

const VALUES = Array.from({ length: 1000 }, (_, i) => (i * 37) % 101);
const KINDS = [Float32Array, Uint8Array, Uint16Array, Int32Array, BigInt64Array] as const;
type Kind = (typeof KINDS)[number];

/** VALUES in memory of each sort that JavaScript has, at an odd place in it where that may be. */
function everyMemory(Type: Kind): [string, TypedArray][] {
  const bytes = VALUES.length * Type.BYTES_PER_ELEMENT;
  const at = 3 * Type.BYTES_PER_ELEMENT;
  const buffers: [string, ArrayBufferLike][] = [
    ['plain', new ArrayBuffer(bytes + at)],
    ['shared', new SharedArrayBuffer(bytes + at)],
    ['resizable', new (ArrayBuffer as never as ResizableBuffer)(bytes + at, { maxByteLength: 4 * bytes })],
    [
      'growable',
      new (SharedArrayBuffer as never as ResizableBuffer)(bytes + at, { maxByteLength: 4 * bytes }),
    ],
    ['transferred here', structuredCloneTransferred(bytes + at)],
  ];
  return buffers.map(([name, buffer]) => {
    const array = new (Type as new (buffer: ArrayBufferLike, at: number, length: number) => TypedArray)(
      buffer,
      at,
      VALUES.length,
    );
    for (const [i, value] of VALUES.entries())
      array[i] = (array instanceof BigInt64Array ? BigInt(value) : value) as never;
    return [name, array];
  });
}

type ResizableBuffer = new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;

function structuredCloneTransferred(bytes: number): ArrayBuffer {
  const buffer = new ArrayBuffer(bytes);
  return structuredClone(buffer, { transfer: [buffer] });
}

function detached<T extends TypedArray>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

for (const Type of KINDS) {
  test(`tensors are made of ${Type.name}s in any memory`, async (t) => {
    const expected = Array.from(VALUES, (value) => (Type === BigInt64Array ? BigInt(value) : value));
    for (const [name, array] of everyMemory(Type)) {
      const tensor = Tensor.from(array, [10, 100]);
      array.fill((Type === BigInt64Array ? 0n : 0) as never);
      const { data } = await tensor.read();
      t.deepEqual(Array.from(data as Iterable<number | bigint>), expected, name);
      t.false(data.buffer instanceof SharedArrayBuffer);
    }
  });
}

test('tensors are made of arrays that are subclasses or of another realm', async (t) => {
  const other = runInNewContext('new Float32Array([1, 2])') as Float32Array;
  t.deepEqual([...(await Tensor.from(other, [2]).read()).data], [1, 2] as never);
  t.deepEqual([...(await Tensor.from(Buffer.from([3, 4]), [2]).read()).data], [3, 4] as never);
});

test('arrays whose buffer was transferred are refused', (t) => {
  const gone = detached(Float32Array.of(1, 2));
  for (const make of [
    () => Tensor.from(gone, [2]),
    () => binding().tensor('float32', [2], gone),
    () => binding().rleEncode(detached(new Uint8Array(4)), 2, 2),
    () => encodeRle(ndarray(detached(new Uint8Array(4)), [2, 2])),
  ])
    t.throws(make, { instanceOf: NlrcnnError, code: 'ERR_NLRCNN_SHAPE' });
});

test('arrays without values are taken where none are wanted', async (t) => {
  for (const array of [
    new Float32Array(0),
    new Float32Array(new SharedArrayBuffer(0)),
    detached(new Float32Array(2)),
  ])
    t.is((await Tensor.from(array, [0, 4]).read()).data.length, 0);
});

test('an array over a buffer that shrank is taken as it is now', (t) => {
  const buffer = new (ArrayBuffer as never as ResizableBuffer)(16, { maxByteLength: 64 });
  const [fixed, tracking] = [new Float32Array(buffer, 0, 4), new Float32Array(buffer)];
  (buffer as never as { resize(bytes: number): void }).resize(8);
  t.throws(() => Tensor.from(fixed, [4]), { code: 'ERR_NLRCNN_SHAPE' });
  t.throws(() => Tensor.from(tracking, [4]), { code: 'ERR_NLRCNN_SHAPE' });
  t.notThrows(() => Tensor.from(tracking, [2]));
});

test('a plan copies its inputs when it is run', async (t) => {
  const recorder = new Recorder();
  const x = recorder.input('float32', [1, 1, 10, 100]);
  const plan = recorder.finish([
    single(recorder.op('conv2d', [x, Tensor.from(Float32Array.of(2), [1, 1, 1, 1])])),
  ]);
  const expected = VALUES.map((value) => 2 * value);
  for (const [name, array] of everyMemory(Float32Array)) {
    const result = plan.run([array]);
    if (array.buffer instanceof SharedArrayBuffer) array.fill(0 as never);
    else detached(array);
    t.deepEqual([...((await result)[0]!.data as Float32Array)], expected, name);
  }
  t.throws(() => plan.run([detached(new Float32Array(1000))]), { code: 'ERR_NLRCNN_SHAPE' });
  plan.dispose();
});

test('encodeRle takes bitmaps in any memory', (t) => {
  const expected = encodeRle(
    ndarray(
      Uint8Array.from(VALUES, (value) => value % 2),
      [10, 100],
    ),
  ).counts;
  for (const [name, array] of everyMemory(Uint8Array)) {
    const bits = array as Uint8Array;
    for (const [i, value] of bits.entries()) bits[i] = value % 2;
    t.is(encodeRle(ndarray(bits, [10, 100])).counts, expected, name);
  }
});

test('getters and proxies that do harm meanwhile end in an error', (t) => {
  const native = binding();
  const recorder = new native.Recorder();
  const x = recorder.input('float32', [1, 4]);
  const plan = recorder.finish([x]);
  const inputs = Object.defineProperty([], 0, {
    get() {
      plan.dispose();
      return Float32Array.of(1, 2, 3, 4);
    },
  }) as TypedArray[];
  t.throws(() => plan.run(inputs), { code: 'ERR_NLRCNN_DISPOSED' });

  const second = new native.Recorder();
  const y = second.input('float32', [1, 4]);
  const finishing = Object.defineProperty([], 0, {
    get() {
      second.finish([y]);
      return y;
    },
  }) as never[];
  t.throws(() => second.op('scale', finishing, { factor: 2 }), { code: 'ERR_NLRCNN_ARGUMENT' });

  const a = Tensor.from(Float32Array.of(1, 2), [1, 2]);
  const b = Tensor.from(Float32Array.of(3, 4), [1, 2]);
  const disposing = Object.defineProperties([], {
    0: { get: () => a.native },
    1: {
      get() {
        a.dispose();
        return b.native;
      },
    },
  }) as never[];
  t.throws(() => native.op('add', disposing, {}), { code: 'ERR_NLRCNN_DISPOSED' });

  const own = new Error('own');
  const throwing = new Proxy(
    {},
    {
      ownKeys() {
        throw own;
      },
    },
  );
  t.is(
    t.throws(() => native.op('add', [b.native, b.native], throwing as never)),
    own,
  );
});

test('values of any type at any place of the native surface end in errors with a code', (t) => {
  const native = binding() as never as Record<string, (...values: unknown[]) => unknown>;
  const odd = [
    undefined,
    null,
    true,
    Number.NaN,
    -1,
    1e300,
    10n,
    'x',
    Symbol('s'),
    () => 1,
    {},
    [],
    new Array(4294967295),
    new Proxy([], {}),
    Object.create(null),
    new Float32Array(3),
    new BigUint64Array(3),
    new DataView(new ArrayBuffer(4)),
    new Date(Number.NaN),
    Object.create(Tensor.from(Float32Array.of(1), [1]).native),
    Object.getPrototypeOf(Tensor.from(Float32Array.of(1), [1]).native),
  ];
  const wrong: string[] = [];
  let refused = 0;
  const call = (name: string, ...values: unknown[]) => {
    try {
      const result = native[name]!(...values);
      if (result instanceof Promise) result.catch(() => {});
    } catch (error) {
      refused++;
      if (!(error instanceof NlrcnnError && isNlrcnnError(error))) wrong.push(`${name}: ${error}`);
    }
  };
  const names = Object.keys(native).filter((name) => !/^(close|useErrorClass|Recorder)$/.test(name));
  for (const name of names) {
    for (const first of odd) {
      call(name, first);
      for (const second of odd) call(name, first, second, odd[(odd.indexOf(first) + 3) % odd.length], second);
    }
  }
  t.deepEqual(wrong, []);
  t.true(refused > 1000, `${refused}`);
  t.throws(() => (binding().Recorder as never as () => void)(), { code: 'ERR_NLRCNN_ARGUMENT' });
  const { op, finish, input } = new (binding().Recorder)() as never as Record<string, () => void>;
  for (const method of [op, finish, input]) t.throws(() => method!.call({} as never));
  const NativeTensor = Tensor.from(Float32Array.of(1), [1]).native.constructor as new () => object;
  t.throws(() => new NativeTensor(), { code: 'ERR_NLRCNN_ARGUMENT' });
});

test('errors of the addon have the class of the package', (t) => {
  const error = t.throws(() => binding().op('no such op', [], {}), { instanceOf: NlrcnnError });
  t.like(error, { name: 'NlrcnnError', code: 'ERR_NLRCNN_ARGUMENT' });
});

test('a getter of a result that throws rejects its promise, or says nothing', async (t) => {
  const { code, stdout, stderr } = await runScript(`
    const x = nlrcnn.Tensor.from(new Float32Array(1), [1]);
    Object.defineProperty(Object.prototype, 'then', { configurable: true, get() { throw new Error('own'); } });
    const reading = x.read();
    process.once('unhandledRejection', () => {});
    reading.catch(() => {});
    setTimeout(() => { delete Object.prototype.then; console.log('alive'); process.exit(0); }, 200);`);
  t.is(code, 0, stderr);
  t.is(stdout, 'alive\n');
});

test('a plan of tensors from outside copies them, and tells what cannot be had', async (t) => {
  const x = Tensor.from(Float32Array.of(1, 2), [1, 2]);
  const recorder = new Recorder();
  const plan = recorder.finish([x]);
  const [result] = await plan.run([]);
  result!.data[0] = 7;
  t.deepEqual([...(await x.read()).data], [1, 2] as never);
  const boxes = Tensor.from(Float32Array.of(0, 0, 4, 4), [1, 4]);
  const kept = nms(eager, boxes, Tensor.from(Float32Array.of(1), [1]), { threshold: 0.5 });
  t.throws(() => recorder.finish([kept]), { code: 'ERR_NLRCNN_UNSUPPORTED' });
});

test('errors have numbers as they are', (t) => {
  for (const [device, shown] of [
    [100, '100'],
    [0, '0'],
    [-20, '-20'],
    [1e-9, '1e-9'],
  ] as const)
    t.throws(() => binding().tensor('float32', [0], new Float32Array(0), device as never), {
      message: new RegExp(`received ${shown}$`),
    });
});
