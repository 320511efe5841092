import test from 'ava';
import { CUDA } from '../helpers/device.js';
import { loadCases, loadGoldens, outputError } from '../helpers/goldens.js';
import { readJson } from '../helpers/model-cases.js';
import { runCase } from '../helpers/run-op.js';

type Errors = Record<string, Record<string, Partial<Record<'fp16' | 'bf16', Record<string, number>>>>>;

/** PyTorch's own errors, of test/goldens/precision.py. */
const THEIRS = readJson('goldens', 'precision.json') as Errors;
// Rounding the outcome once may cost as much.
const ROUNDING = { fp16: 2 ** -11, bf16: 2 ** -8 };

for (const [op, cases] of Object.entries(THEIRS)) {
  const goldens = loadGoldens(op);
  for (const precision of ['fp16', 'bf16'] as const) {
    test(`${op} in ${precision}: error against float64 at most twice PyTorch's`, async (t) => {
      // Every fifth of the generated cases.
      const some = loadCases(op).filter(({ name }, i) => !name.startsWith('random-') || i % 5 === 0);
      for (const testCase of some) {
        const theirs = cases[testCase.name]?.[precision];
        if (!theirs) continue;
        const outputs = await runCase(op, testCase, { device: CUDA, precision });
        for (const [name, limit] of Object.entries(theirs)) {
          const error = outputError(goldens, testCase, outputs[name]!.data, name);
          const most = Math.max(2 * limit, ROUNDING[precision]);
          t.true(error <= most, `${testCase.name} ${name}: ${error}, PyTorch ${limit}`);
        }
      }
    });
  }
}

test('tf32 stays within ten bits of the factors', async (t) => {
  const goldens = loadGoldens('linear');
  for (const testCase of loadCases('linear')) {
    const { out } = await runCase('linear', testCase, { device: CUDA, precision: 'tf32' });
    t.true(outputError(goldens, testCase, out!.data) <= 2 ** -9);
  }
});
