// Runs one case of test/cases in this process alone, so that a debugger or a profiler sees that and nothing else.
//
//   node scripts/op-case.mjs                            the ops that have cases
//   node scripts/op-case.mjs nms                        the cases of an op
//   node scripts/op-case.mjs nms n100 --device cuda:0   one case; CUDA is emulated unless NLRCNN_TEST_DEVICE names a GPU
//
//   --device NAME      default: cpu
//   --precision NAME   fp32 (default), tf32, fp16, bf16; the last three as a plan on CUDA
//   --times N          default: 1
//
// Compiled tests are needed: npm run setup, for the emulation npm test -- nms.

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(ROOT, 'dist-test', 'helpers', 'op-case.js'));
require('./device.js'); // names the emulation before anything asks for the addon
const { golden, loadCases, loadGoldens, relativeError } = require('./goldens.js');
const { RUNS, runCase } = require('./run-op.js');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'cpu' },
    precision: { type: 'string', default: 'fp32' },
    times: { type: 'string', default: '1' },
  },
});
const [op, name] = positionals;

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

const ops = readdirSync(join(ROOT, 'test', 'cases'))
  .map((file) => basename(file, '.json'))
  .filter((each) => each in RUNS);
if (op && !ops.includes(op)) fail(`No cases of ${op}; there are those of ${ops.join(', ')}`);
const cases = op ? loadCases(op) : [];
const chosen = cases.find((each) => each.name === name);
if (name && !chosen) fail(`${op} has no case ${name}, but ${cases.map((each) => each.name).join(', ')}`);

if (!chosen) process.stdout.write(`${(op ? cases.map((each) => each.name) : ops).join('\n')}\n`);
else {
  const goldens = loadGoldens(op);
  for (let i = 0; i < Number(values.times); i++) {
    const outputs = await runCase(op, chosen, { device: values.device, precision: values.precision });
    for (const [output, { shape, data }] of Object.entries(outputs)) {
      const key = `${chosen.name}.${output}`;
      const first = Array.from(data.slice(0, 4), (value) => Number(value).toPrecision(6)).join(', ');
      // Of large outputs, goldens hold samples alone.
      const error = goldens.has(key)
        ? `, relative error ${relativeError(data, golden(goldens, key).data).toExponential(1)}`
        : '';
      process.stdout.write(`${output} [${shape.join(', ')}]: ${first}, …${error}\n`);
    }
  }
}
