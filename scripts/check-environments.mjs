// Checks that environments may end at any moment: workers that are terminated in the middle of ops, segmentation,
// training, loading; workers that come and go for a while; process.exit() and uncaught exceptions in mid-work. Only the
// worker may end; the process must do right work afterwards and end as it was told to.
//
//   node scripts/check-environments.mjs [--times 200] [--seconds 60] [--device cpu,cuda:0] [--kinds ops,segment,…]
//
// cuda:N without a GPU: with the emulated kernels, where NLRCNN_CUDA_PLUGIN names them.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { smallTraining } from './small-training.mjs';

const FILE = fileURLToPath(import.meta.url);
const WORKER = join(dirname(FILE), 'environment-worker.mjs');
const KINDS = ['ops', 'segment', 'load', 'loader', 'train'];
const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    device: { type: 'string', default: 'cpu' },
    kinds: { type: 'string', default: KINDS.join(',') },
    /** Set in the processes that this script starts: what each of them does. */
    part: { type: 'string' },
  },
});
const [TIMES, SECONDS] = [Number(values.times), Number(values.seconds)];

/** A worker, and when it has begun its work. An error of its own ends this process, and so fails the check. */
function start(kind, device) {
  const worker = new Worker(WORKER, { workerData: { kind, device }, stdout: true, stderr: true });
  worker.on('error', (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(3);
  });
  return { worker, begun: new Promise((resolve) => worker.once('message', resolve)) };
}

/** Terminates a worker before it has begun, as it begins, or within a while of its work. */
async function endOne(kind, device) {
  const { worker, begun } = start(kind, device);
  const moment = Math.random();
  if (moment < 0.2) await setTimeout(Math.random() * 150);
  else await begun;
  if (moment > 0.3) await setTimeout(Math.random() ** 2 * 400);
  await worker.terminate();
}

/** What must still be right in this process. */
async function control(device) {
  const { Tensor, ops } = await import('../dist/index.mjs');
  const x = Tensor.from(Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2], device);
  const w = Tensor.from(Float32Array.of(2), [1, 1, 1, 1], device);
  const { data } = await ops.conv2d(x, w).read();
  if (`${data}` !== '2,4,6,8') throw new Error(`Expected 2,4,6,8 but received ${data}`);
}

const parts = {
  async terminate(kind, device) {
    let left = TIMES;
    const lane = async () => {
      while (left-- > 0) await endOne(kind, device);
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    await control(device);
  },
  /** Eight workers that load, work, end and start anew. */
  async churn(_, device) {
    const until = Date.now() + SECONDS * 1000;
    const lane = async (i) => {
      for (let n = i; Date.now() < until; n++) await endOne(KINDS[n % 3], device);
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => lane(i)));
    await control(device);
  },
};

if (values.part) {
  const [part, kind] = values.part.split(':');
  await parts[part](kind, values.device);
  process.stdout.write('alive\n');
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-environments-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const weights = join(folder, 'small', 'model', 'weights.safetensors');
if (values.device !== 'cpu') {
  const { train } = await import('../dist/index.mjs');
  await train(await smallTraining(1), { out: join(folder, 'small'), device: 'cpu' });
}

/** Runs a process; gives how it ended and what it said. */
function run(args, { killAfter, inject } = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, NLRCNN_CHECK_FOLDER: folder, NLRCNN_CHECK_WEIGHTS: weights };
    const child = spawn(process.execPath, [...(inject ? ['--import', inject] : []), ...args], { env });
    let [out, errors] = ['', ''];
    child.stdout.on('data', (text) => {
      out += text;
    });
    child.stderr.on('data', (text) => {
      errors += text;
    });
    const timer = globalThis.setTimeout(() => child.kill('SIGKILL'), killAfter);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ end: code ?? signal, out, errors });
    });
  });
}

const failures = [];
const counts = {};
function note(what, ok, { end, errors }) {
  counts[what] = (counts[what] ?? 0) + 1;
  if (ok) return;
  failures.push(what);
  process.stdout.write(`${what}: ended with ${end}\n${errors.slice(-600)}\n`);
}

const ending = (code) =>
  `data:text/javascript,setTimeout(() => { ${code} }, ${Math.ceil(Math.random() * 900)})`;

for (const device of values.device.split(',')) {
  for (const kind of values.kinds.split(',')) {
    const own = ['--times', String(TIMES), '--device', device];
    const killAfter = 60_000 + TIMES * 20_000;
    const ended = await run([FILE, '--part', `terminate:${kind}`, ...own], { killAfter });
    note(`${device} terminate ${kind}`, ended.end === 0 && ended.out === 'alive\n', ended);
    for (let i = 0; i < Math.ceil(TIMES / 10); i++) {
      const args = [WORKER, kind, device];
      const exit = await run(args, { killAfter: 60_000, inject: ending('process.exit(7)') });
      note(`${device} exit ${kind}`, exit.end === 7 && exit.errors === '', exit);
      const thrown = await run(args, { killAfter: 60_000, inject: ending("throw new Error('on purpose')") });
      note(`${device} uncaught ${kind}`, thrown.end === 1 && /on purpose/.test(thrown.errors), thrown);
      // Without what the addon does on the event `exit`.
      const really = await run(args, { killAfter: 60_000, inject: ending('process.reallyExit(7)') });
      note(`${device} reallyExit ${kind}`, really.end === 7 && really.errors === '', really);
    }
  }
  const own = ['--seconds', String(SECONDS), '--device', device];
  const churn = await run([FILE, '--part', 'churn', ...own], { killAfter: 120_000 + SECONDS * 2000 });
  note(`${device} churn`, churn.end === 0 && churn.out === 'alive\n', churn);
}

process.stdout.write(`${JSON.stringify({ times: TIMES, seconds: SECONDS, runs: counts, failures })}\n`);
process.exitCode = failures.length > 0 ? 1 : 0;
