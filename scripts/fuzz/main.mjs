// npm run fuzz -- --seconds N [--runs N] [--seed S] [--target NAME] [--input FILE] [--save DIR]; see docs/fuzzing.md.
import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { saveInput } from './inputs.mjs';
import { TARGETS } from './targets.mjs';
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
  console.error(`targets: ${Object.keys(TARGETS).join(', ')}`);
  process.exit(2);
}

const seed = numberOf('seed', randomInt(2 ** 32));
const runs = numberOf('runs', Number.MAX_SAFE_INTEGER);
const seconds = numberOf('seconds', values.runs === undefined ? 60 : 1e6);
const names = values.target ?? Object.keys(TARGETS);
for (const name of names) if (!Object.hasOwn(TARGETS, name)) usage(`there is no target ${name}`);
if (values.input !== undefined && names.length !== 1) usage('--input needs one --target');

const { board, remove } = makeBoard();
let [inputs, found] = [0, 0];
try {
  console.log(`seed ${seed}`);
  const until = performance.now() + seconds * 1000;
  for (const [i, name] of names.entries()) {
    // What one target leaves of its time, the others get.
    const share = Math.max(0.1, (until - performance.now()) / 1000 / (names.length - i));
    const one = await fuzz(name, share);
    inputs += one.inputs;
    found += one.findings;
  }
} finally {
  remove();
}
console.log(`fuzz: ${inputs} inputs, ${found} findings`);
process.exitCode = found > 0 ? 1 : 0;

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
