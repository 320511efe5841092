import test from 'ava';
import { golden, loadCases, loadGoldens, outputError, relativeError } from './helpers/goldens.js';
import { type InputArray, makeInput } from './helpers/inputs.js';
import { hash32 } from './helpers/random.js';

const DIGESTS = loadGoldens('inputs');

/** One uint32 of an array's bits; the same as `digest` of goldens/prng.py. */
function digest(data: InputArray): number {
  const bits =
    data instanceof Float32Array ? new Uint32Array(data.buffer, data.byteOffset, data.length) : data;
  let out = 0;
  for (let i = 0; i < bits.length; i++) out ^= hash32((bits[i]! + i) | 0);
  return out >>> 0;
}

for (const op of DIGESTS.keys()) {
  test(`${op}: inputs equal those that the goldens were made from`, (t) => {
    const made = loadCases(op).flatMap(({ inputs }) =>
      Object.values(inputs).map((s) => digest(makeInput(s).data)),
    );
    t.true(made.length > 0);
    t.deepEqual(made, Array.from(golden(DIGESTS, op).data));
  });

  test(`${op}: every case has a golden and every golden a case`, (t) => {
    const keys = [...loadGoldens(op).keys()].map((key) => key.slice(0, key.indexOf('.')));
    const names = loadCases(op).map(({ name }) => name);
    t.deepEqual([...new Set(keys)].sort(), names.sort());
  });
}

test('relativeError is the largest difference over the largest expected magnitude', (t) => {
  t.is(relativeError([1, -4], [1, -4]), 0);
  t.is(relativeError([1, -3], [1, -4]), 0.25);
  t.is(relativeError([], []), 0);
  t.is(relativeError([1], [1, 2]), Infinity);
  t.is(relativeError([NaN], [1]), Infinity);
  t.true(relativeError([1e-6], [0]) > 1);
});

test('outputError compares samples at the stride of the case', (t) => {
  const goldens = new Map([
    ['a.samples', { dtype: 'F32' as const, shape: [2], data: Float32Array.of(1, 4) }],
  ]);
  const testCase = { name: 'a', inputs: {}, attrs: {}, sample_stride: 3 };
  t.is(outputError(goldens, testCase, [1, 9, 9, 4, 9]), 0);
  t.is(outputError(goldens, testCase, [1, 9, 9, 3, 9]), 0.25);
  t.is(outputError(goldens, testCase, [1, 9, 9]), Infinity);
  t.throws(() => outputError(goldens, testCase, [1], 'boxes'), { message: /a\.boxes\.samples/ });
});
