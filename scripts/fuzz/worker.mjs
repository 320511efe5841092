// Runs one target in a process of its own, which may crash or hang: main.mjs watches it. Arguments: see main.mjs.
import { openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { isFinding, placeOf, signatureOf } from './findings.mjs';
import { corpusOf, HEAD } from './inputs.mjs';
import { MOST_GROWTH, MOST_INPUT, MOST_PIXELS } from './limits.mjs';
import { mutateBytes } from './mutate.mjs';
import { hashOf, Random } from './random.mjs';
import { HIDDEN, TARGETS } from './targets.mjs';

const { target: name, seed, seconds, runs, board, input, skipCorpus } = JSON.parse(process.argv[2]);
const { isNlrcnnError } = createRequire(import.meta.url)('../../dist/index.js');

process.env.NLRCNN_MAX_PIXELS = String(MOST_PIXELS);
process.removeAllListeners('warning');
process.on('warning', () => {});
os.setPriority(10);

/** Of what was kept for new outcomes, as many as are remembered. */
const MOST_KEPT = 2000;
const target = await (TARGETS[name] ?? HIDDEN[name])();
const random = new Random(seed ^ hashOf(name));
const file = openSync(board, 'r+');
const place = Buffer.alloc(HEAD + MOST_INPUT);
const known = new Set();
const reported = new Set();
let count = 0;
let current = Buffer.alloc(0);
/** Errors that nobody awaited, of the input that ran when they came. */
let stray;
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    stray ??= error ?? new Error(`${event} without an error`);
  });
}

function announce(bytes) {
  count++;
  current = bytes;
  place.writeBigUInt64LE(BigInt(count), 0);
  place.writeUInt32LE(bytes.length, 8);
  bytes.copy(place, HEAD);
  writeSync(file, place, 0, HEAD + bytes.length, 0);
}

/** The error of an input, or undefined; the way it took. */
async function attempt(bytes) {
  announce(bytes);
  const before = process.resourceUsage().maxRSS;
  let error;
  let way = 'accepted';
  try {
    const outcome = target.run(bytes);
    const settled = outcome instanceof Promise ? await outcome : outcome;
    if (typeof settled === 'string') way = settled;
  } catch (caught) {
    error = caught ?? new Error('threw nothing');
    way = signatureOf(error);
  }
  if (stray !== undefined) {
    error = new Error(`an error that nobody awaits: ${stray?.stack ?? String(stray)}`);
    stray = undefined;
  }
  const grown = (process.resourceUsage().maxRSS - before) * 1024;
  if (grown > MOST_GROWTH) error = new Error(`memory grew by ${Math.round(grown / 2 ** 20)} MiB`);
  return { error, way };
}

/** A smaller input with the same fault: pieces are left out as long as it stays. */
async function shrink(bytes, fault) {
  let best = bytes;
  const until = performance.now() + 2000;
  for (let size = best.length >> 1; size >= 1 && performance.now() < until; size >>= 1) {
    for (let at = 0; at < best.length && performance.now() < until; ) {
      const less = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      const { error } = await attempt(less);
      if (error && isFinding(error, isNlrcnnError) && placeOf(error) === fault) best = less;
      else at += size;
    }
  }
  return best;
}

/** An error and where it came from, without the fuzzer's own part of the way. */
function textOf(error) {
  const lines = String(error?.stack ?? error).split('\n');
  return lines
    .filter((line) => !line.includes('fuzz/worker.mjs'))
    .slice(0, 6)
    .join('\n');
}

/** Runs an input; gives whether it went a new way. */
async function run(bytes) {
  const { error, way } = await attempt(bytes);
  if (error && isFinding(error, isNlrcnnError)) {
    const fault = placeOf(error);
    if (!reported.has(fault)) {
      reported.add(fault);
      const small = input === undefined ? await shrink(bytes, fault) : bytes;
      process.send({ finding: textOf(error), input: small.toString('base64') });
    }
  }
  if (known.has(way)) return false;
  known.add(way);
  return true;
}

const start = performance.now();
try {
  await work();
} catch (error) {
  // No input's fault: the fuzzer itself cannot run.
  console.error(error);
  process.exit(3);
}
if (stray !== undefined) {
  process.send({
    finding: `an error that nobody awaits: ${textOf(stray)}`,
    input: current.toString('base64'),
  });
}
await target.close?.();
process.send(
  { done: true, inputs: count, seconds: (performance.now() - start) / 1000, ways: known.size },
  () => process.exit(0),
);

async function work() {
  if (input !== undefined) await run(readFileSync(input));
  else {
    const seeds = [...corpusOf(name), ...((await target.seeds?.()) ?? [])];
    // An input that ended the process before would end it at each start.
    if (!skipCorpus) for (const bytes of seeds) await run(bytes);
    if (seeds.length === 0) seeds.push(Buffer.alloc(0));
    const kept = [...seeds];
    const mutate = target.mutate ?? mutateBytes;
    const options = { others: kept, maxLength: 16384, ...target.options };
    let rested = performance.now();
    const until = start + seconds * 1000;
    for (let i = 0; i < runs && performance.now() < until; i++) {
      const bytes = mutate(random, random.pick(random.chance(0.3) ? seeds : kept), options);
      if ((await run(bytes)) && kept.length < MOST_KEPT) kept.push(Buffer.from(bytes));
      if (performance.now() - rested < 20) continue;
      await setImmediate(); // errors that nobody awaited come here
      rested = performance.now();
    }
  }
  await setImmediate();
}
