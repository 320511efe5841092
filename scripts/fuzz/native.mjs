// Fuzzes the native code: builds the targets of native/fuzz with clang, where they are not yet, and runs them.
//
//   node scripts/fuzz/native.mjs [--target rle,polygon,paste,preprocess,ops] [--seconds 60] [--corpus FOLDER] [--no-build]
//
// --seconds: of each target. --corpus: where new inputs are kept; default: build-fuzz/corpus. Starts from those and from
// test/fuzz/corpus/TARGET. A target with a planted fault comes first and must crash. The last line is "N executions, M crashes"; exit code 1 on a crash, whose input is written to
// build-fuzz/crashes/ and printed in base64.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const BUILD = join(ROOT, 'build-fuzz');
const TARGETS = ['rle', 'polygon', 'paste', 'preprocess', 'ops'];
/** What an input may take: a second of a quiet machine's time, with room for a busy one. */
const LIMITS = ['-max_len=512', '-timeout=10', '-rss_limit_mb=2048', '-malloc_limit_mb=1024'];

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: TARGETS.join(',') },
    seconds: { type: 'string', default: '60' },
    corpus: { type: 'string', default: join(BUILD, 'corpus') },
    'no-build': { type: 'boolean', default: false },
  },
});

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

const targets = values.target.split(',');
const unknown = targets.find((target) => !TARGETS.includes(target));
if (unknown !== undefined) fail(`no target named ${unknown}: there are ${TARGETS.join(', ')}`);
const seconds = Number(values.seconds);
if (!(seconds > 0)) fail(`--seconds wants a number above 0, not ${values.seconds}`);

function build() {
  const run = (args) => spawnSync('cmake', args, { stdio: ['ignore', 2, 2] }).status === 0;
  const configure = ['-S', ROOT, '-B', BUILD, '-DNLRCNN_FUZZ=ON', '-DCMAKE_CXX_COMPILER=clang++'];
  const names = ['fault', ...targets].map((target) => `fuzz_${target}`);
  const compile = ['--build', BUILD, '--parallel', String(availableParallelism()), '--target', ...names];
  if (!run(configure) || !run(compile))
    fail('building failed: "node scripts/setup.mjs --fuzz" installs clang');
}

const program = (target) => join(BUILD, 'native', 'fuzz', `fuzz_${target}`);

/** A fuzzer that does not find what is there finds nothing else. */
function findPlantedFault() {
  const { stderr, status } = spawnSync(
    program('fault'),
    ['-runs=5000000', '-max_len=8', `-artifact_prefix=${BUILD}/planted-`],
    {
      encoding: 'utf8',
    },
  );
  if (status === 0 || !/AddressSanitizer: heap-buffer-overflow/.test(stderr ?? ''))
    fail('the fuzzer did not find the planted fault (native/fuzz/fault.cpp)');
}

/** Runs one target; gives how many inputs it tried and whether one crashed. */
function fuzz(target) {
  const crashes = join(BUILD, 'crashes');
  const corpus = join(resolve(values.corpus), target);
  const seeds = join(ROOT, 'test', 'fuzz', 'corpus', target);
  for (const folder of [crashes, corpus]) mkdirSync(folder, { recursive: true });
  const before = new Set(readdirSync(crashes));
  const { stderr, status, error } = spawnSync(
    program(target),
    [
      ...LIMITS,
      `-max_total_time=${Math.ceil(seconds)}`,
      `-artifact_prefix=${crashes}/${target}-`,
      '-print_final_stats=1',
      corpus,
      ...(existsSync(seeds) ? [seeds] : []),
    ],
    // Kernels of oneDNN are not instrumented and start no threads of their own here.
    { encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, OMP_NUM_THREADS: '1' } },
  );
  if (error) fail(error.message);
  const executions = Number(stderr.match(/number_of_executed_units: (\d+)/)?.[1] ?? 0);
  if (status === 0) {
    process.stdout.write(`${target}: ${executions} executions, no crash\n`);
    return { executions, crashed: executions === 0 };
  }
  process.stdout.write(`${stderr.split('\n').slice(-60).join('\n')}\n`);
  for (const name of readdirSync(crashes).filter((each) => !before.has(each)))
    process.stdout.write(`${name}: ${readFileSync(join(crashes, name)).toString('base64')}\n`);
  process.stdout.write(`${target}: ${executions} executions, a crash\n`);
  return { executions, crashed: true };
}

if (!values['no-build']) build();
findPlantedFault();
const results = targets.map(fuzz);
const executions = results.reduce((sum, result) => sum + result.executions, 0);
const crashes = results.filter(({ crashed }) => crashed).length;
process.stdout.write(`${executions} executions, ${crashes} crashes\n`);
process.exitCode = crashes === 0 ? 0 : 1;
