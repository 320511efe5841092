import { fork } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HEAD } from './inputs.mjs';
import { MOST_DATA, MOST_HEAP, MOST_INPUT, MOST_SECONDS, MOST_WAIT } from './limits.mjs';

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url));
const TICKS = 100; // sysconf(_SC_CLK_TCK) of Linux on x64

/** Seconds of processor time of a process; undefined where it is gone. */
function processorSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

/** Where a worker notes what it is at: in memory where the machine has such a place. */
export function makeBoard() {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'nlrcnn-fuzz-'));
  const board = join(folder, 'board');
  writeFileSync(board, Buffer.alloc(HEAD));
  return { board, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function readBoard(board) {
  const file = openSync(board, 'r');
  try {
    const bytes = Buffer.alloc(HEAD + MOST_INPUT);
    const length = readSync(file, bytes, 0, bytes.length, 0);
    if (length < HEAD) return { count: 0n, input: Buffer.alloc(0) };
    return { count: bytes.readBigUInt64LE(0), input: bytes.subarray(HEAD, HEAD + bytes.readUInt32LE(8)) };
  } finally {
    closeSync(file);
  }
}

const readCount = (board) => {
  const file = openSync(board, 'r');
  const head = Buffer.alloc(8);
  readSync(file, head, 0, 8, 0);
  closeSync(file);
  return head.readBigUInt64LE(0);
};

/**
 * Runs a worker to its end. Gives how many inputs it tried and what it found: errors that are no refusals, the input at which
 * it crashed, or that took longer than it may.
 */
export async function watch(job) {
  writeFileSync(job.board, Buffer.alloc(HEAD));
  const findings = [];
  let summary;
  let stderr = '';
  // The shell sets the bound on memory and becomes the worker.
  const child = fork(WORKER, [JSON.stringify(job)], {
    execPath: '/bin/sh',
    execArgv: [
      '-c',
      `ulimit -c 0; ulimit -d ${MOST_DATA}; exec "$0" --max-old-space-size=${MOST_HEAP} "$@"`,
      process.execPath,
    ],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Small inputs want no second thread, which would only wait for a busy machine.
    env: { ...process.env, NLRCNN_FUZZ_BOARD: job.board, OMP_NUM_THREADS: '1' },
  });
  child.stderr.on('data', (text) => {
    stderr = (stderr + text).slice(-4000);
  });
  child.on('message', (message) => {
    if (message.done) summary = message;
    else findings.push({ what: message.finding, input: Buffer.from(message.input, 'base64') });
  });
  let [last, since, used] = [-1n, performance.now(), 0];
  let stopped;
  const timer = setInterval(() => {
    const count = readCount(job.board);
    const processor = processorSeconds(child.pid);
    if (count !== last || processor === undefined) {
      [last, since, used] = [count, performance.now(), processor ?? used];
      return;
    }
    if (count === 0n) return; // still loading
    const waited = (performance.now() - since) / 1000;
    if (processor - used < MOST_SECONDS && waited < MOST_WAIT) return;
    stopped = `took more than ${processor - used >= MOST_SECONDS ? `${MOST_SECONDS} s of the processor` : `${MOST_WAIT} s`}`;
    child.kill('SIGKILL');
  }, 100);
  // The last message may come behind the end of the process.
  const channel = new Promise((resolve) => child.once('disconnect', resolve));
  const [code, signal] = await new Promise((resolve) => child.once('close', (...args) => resolve(args)));
  await channel;
  clearInterval(timer);
  const crashed = code !== 0 && !stopped ? `ended the process (${signal ?? `exit code ${code}`})` : undefined;
  if (stopped || crashed || !summary) {
    const { count, input } = readBoard(job.board);
    const what =
      `${stopped ?? crashed ?? 'ended the process without a word'}\n${crashed ? stderr : ''}`.trim();
    findings.push({ what, input: Buffer.from(input), fatal: true });
    summary ??= { inputs: Number(count), ways: 0 };
  }
  return { inputs: summary.inputs, ways: summary.ways, findings };
}
