/** Bytes as a row of choices: what a target builds follows from them, and behind their end all choices are the first. */
export class Data {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    /** How many values of any type were made. */
    this.wild = 0;
  }

  get left() {
    return this.bytes.length - this.at;
  }

  byte() {
    return this.at < this.bytes.length ? this.bytes[this.at++] : 0;
  }

  /** 0 … below - 1, of one byte (two where that is not enough). */
  int(below) {
    return (below > 256 ? this.byte() * 256 + this.byte() : this.byte()) % below;
  }

  /** True in about one of `n` cases. */
  oneIn(n) {
    return this.int(n) === n - 1;
  }

  pick(list) {
    return list[this.int(list.length)];
  }

  take(length) {
    this.at += Math.min(length, this.left);
    return this.bytes.subarray(this.at - Math.min(length, this.at), this.at);
  }

  list(most, make) {
    return Array.from({ length: this.int(most + 1) }, () => make());
  }
}

const NUMBERS = [
  0,
  1,
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -0,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
  -1e300,
  5e-324,
  65536,
  255,
];

export const number = (data) =>
  data.oneIn(3) ? data.pick(NUMBERS) : data.int(2000) / (data.oneIn(4) ? 8 : 1) - (data.oneIn(4) ? 500 : 0);

const detached = () => {
  const array = new Float32Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
};

/** What the caller's own getters throw: it may come back as it is. */
export class CallersOwn extends Error {}

const throws = () => {
  throw new CallersOwn('a getter that throws');
};
const throwing = () => new Proxy({}, { get: throws, has: throws, ownKeys: throws, getPrototypeOf: throws });
const cyclic = () => {
  const value = { list: [] };
  value.list.push(value);
  return value;
};

const KINDS = [
  () => undefined,
  () => null,
  (data) => data.oneIn(2),
  number,
  (data) =>
    data.pick([
      '',
      'a',
      '0',
      '12',
      'cpu',
      'cuda:0',
      'coco',
      '__proto__',
      '\0',
      '/nowhere',
      'é',
      '\ud800',
      '../..',
    ]),
  (data) => BigInt(data.int(1000)) - 10n,
  () => Symbol('s'),
  () => () => 1,
  () => ({}),
  () => [],
  (data) => new Float32Array(data.int(20)),
  (data) => new Uint8Array(data.int(300)),
  (data) => new Int32Array(data.int(20)),
  (data) => new BigInt64Array(data.int(5)),
  (data) => new Float64Array(data.int(5)),
  () => new DataView(new ArrayBuffer(8)),
  () => new ArrayBuffer(8),
  () => new Uint8Array(new SharedArrayBuffer(16)),
  detached,
  throwing,
  cyclic,
  () => Object.create(null),
  () => new Date(Number.NaN),
  () => new Map([[1, 2]]),
  () => ({ length: 2 ** 53, 0: 1 }),
  () => ({ length: -1 }),
  () => new Array(3),
  () => [1, 'a', null],
  () => Promise.resolve(1),
  () => new String('cpu'),
  () => ({ toString: () => ({}), valueOf: () => ({}) }),
  () => class {},
  () => new Error('an error'),
  () => Number,
  (data, depth) => data.list(4, () => anything(data, depth + 1)),
  (data, depth) => ({
    width: anything(data, depth + 1),
    height: anything(data, depth + 1),
    size: anything(data, depth + 1),
    detections: anything(data, depth + 1),
  }),
];

/** A value of any type, hostile ones too. */
export function anything(data, depth = 0) {
  data.wild++;
  return data.pick(depth > 3 ? KINDS.slice(0, -2) : KINDS)(data, depth);
}

/** `value`, or seldom (one in `n`) anything. */
export const mostly = (data, value, n = 12) =>
  data.oneIn(n) ? anything(data) : typeof value === 'function' ? value() : value;

/** An object whose values are made by `makers`, some left out, some anything. */
export function options(data, makers) {
  if (data.oneIn(12)) return anything(data);
  const out = {};
  for (const [key, make] of Object.entries(makers)) {
    const choice = data.int(10);
    if (choice < 4) continue;
    out[key] = choice === 9 ? anything(data) : make(data);
  }
  return out;
}
