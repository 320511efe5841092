// npm run fuzz -- --seconds N [--runs N] [--seed S] [--target NAME] [--input FILE] [--save DIR]; see docs/fuzzing.md.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { saveInput } from './inputs.mjs';
import { HIDDEN, NATIVE, TARGETS } from './targets.mjs';
import { makeBoard, watch } from './watch.mjs';

/** A target whose worker was ended so often is left alone. */
const MOST_RESTARTS = 5;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string' },
    target: { type: 'string', multiple: true },
    input: { type: 'string' },
    save: { type: 'string', default: 'out/fuzz' },
  },
});

const numberOf = (name, fallback) => {
  const value = values[name] === undefined ? fallback : Number(values[name]);
  if (!(value >= 0)) usage(`--${name} takes a number, not ${values[name]}`);
  return value;
};

function usage(why) {
  console.error(
    `${why}\nusage: npm run fuzz -- [--seconds N] [--runs N] [--seed S] [--target NAME]… [--input FILE] [--save DIR]`,
  );
  console.error(`targets: ${[...Object.keys(TARGETS), ...NATIVE].join(', ')}`);
  process.exit(2);
}

const seed = numberOf('seed', randomInt(2 ** 32));
const runs = numberOf('runs', Number.MAX_SAFE_INTEGER);
const seconds = numberOf('seconds', values.runs === undefined ? 60 : 1e6);
const ALL = [...Object.keys(TARGETS), ...NATIVE];
const hasClang = spawnSync('clang++', ['--version'], { stdio: 'ignore' }).status === 0;
const named = values.target ?? (values.runs === undefined ? ALL : Object.keys(TARGETS));
for (const name of named)
  if (!ALL.includes(name) && !Object.hasOwn(HIDDEN, name)) usage(`there is no target ${name}`);
const names = hasClang ? named : named.filter((name) => !NATIVE.includes(name));
if (names.length < named.length) console.log('native targets: left out, as clang is not installed');
if (values.input !== undefined && named.length !== 1) usage('--input needs one --target');

const { board, remove } = makeBoard();
let [inputs, found] = [0, 0];
try {
  console.log(`seed ${seed}`);
  const until = performance.now() + seconds * 1000;
  for (const [i, name] of names.entries()) {
    // What one target leaves of its time, the others get.
    const share = Math.max(0.1, (until - performance.now()) / 1000 / (names.length - i));
    const one = NATIVE.includes(name) ? fuzzNative(name, seconds / names.length) : await fuzz(name, share);
    inputs += one.inputs;
    found += one.findings;
  }
} finally {
  remove();
}
console.log(`fuzz: ${inputs} inputs, ${found} findings`);
process.exitCode = found > 0 ? 1 : 0;

/** libFuzzer's run of a native target, in whole seconds; building it first, where it is not, does not count. */
function fuzzNative(name, share) {
  const script = fileURLToPath(new URL('native.mjs', import.meta.url));
  const args = [script, '--target', name.replace('native-', ''), '--seconds', String(Math.ceil(share))];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const [, executions = '0'] = stdout.match(/^(\d+) executions, \d+ crashes$/m) ?? [];
  if (status !== 0) console.log(`FOUND ${name}: ${stdout}\n${stderr.slice(-2000)}`);
  console.log(`${name}: ${executions} inputs, ${status === 0 ? 0 : 1} findings`);
  return { inputs: Number(executions), findings: status === 0 ? 0 : 1 };
}

async function fuzz(name, share) {
  const start = performance.now();
  const total = { inputs: 0, findings: 0, ways: 0 };
  for (let restart = 0; restart <= MOST_RESTARTS; restart++) {
    const left = share - (performance.now() - start) / 1000;
    if (restart > 0 && left < 1) break;
    const job = {
      target: name,
      seed: (seed + restart) >>> 0,
      seconds: left,
      runs: runs - total.inputs,
      board,
      input: values.input,
    };
    const outcome = await watch({ ...job, skipCorpus: restart > 0 });
    total.inputs += outcome.inputs;
    total.ways = Math.max(total.ways, outcome.ways);
    for (const { what, input } of outcome.findings) {
      total.findings++;
      const path = values.input ?? saveInput(values.save, name, input);
      console.log(`FOUND ${name}: ${what}\n  again: npm run fuzz -- --target ${name} --input ${path}`);
    }
    if (values.input !== undefined || !outcome.findings.some(({ fatal }) => fatal)) break;
  }
  const took = (performance.now() - start) / 1000;
  console.log(
    `${name}: ${total.inputs} inputs in ${took.toFixed(1)} s, ${total.ways} outcomes, ${total.findings} findings`,
  );
  return total;
}
