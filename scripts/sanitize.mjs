// Runs the native code under sanitizers, each of which must first find a fault made on purpose.
//
//   node scripts/sanitize.mjs [--asan] [--tsan] [--tests GLOB,GLOB] [--jobs N]
//
//   --asan   AddressSanitizer and UndefinedBehaviorSanitizer: the addon in Node, in build-asan, under the tests of --tests
//            (compiled before: npm test does)
//   --tsan   ThreadSanitizer: native/selftest/threads.cpp, in build-tsan: queue, lanes, memory pools, plans
//
// Without either, both. The last line is "N passed, M failed"; exit code 1 where something failed.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

const { values } = parseArgs({
  options: {
    asan: { type: 'boolean', default: false },
    tsan: { type: 'boolean', default: false },
    tests: { type: 'string', default: 'dist-test/ops/*.test.js,dist-test/masks/*.test.js' },
    jobs: { type: 'string', default: String(availableParallelism()) },
  },
});
const all = !values.asan && !values.tsan;
let passed = 0;
let failed = 0;

function count(name, good) {
  process.stdout.write(`${good ? 'ok' : 'not ok'} - ${name}\n`);
  if (good) passed++;
  else failed++;
  return good;
}

/** Runs a command; gives its exit status and all it printed. */
function run(command, args, env = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` };
}

const tail = (text) => process.stdout.write(`${text.split('\n').slice(-80).join('\n')}\n`);

function build(folder, settings, targets) {
  const seconds = Date.now();
  const configured = run('cmake', ['-S', ROOT, '-B', folder, ...settings]);
  const built =
    configured.status === 0
      ? run('cmake', ['--build', folder, '--parallel', values.jobs, '--target', ...targets])
      : configured;
  const took = ((Date.now() - seconds) / 1000).toFixed(0);
  if (built.status !== 0) tail(built.text);
  return count(`${folder} is built (${took} s)`, built.status === 0);
}

function addressSanitizer() {
  const headers = require('node-api-headers').include_dir;
  const settings = [
    '-DNLRCNN_SANITIZE=address,undefined,float-cast-overflow',
    '-DNLRCNN_CUDA=OFF',
    `-DCMAKE_JS_INC=${headers};${join(ROOT, 'node_modules', 'node-addon-api')}`,
  ];
  if (!build('build-asan', settings, ['nlrcnn', 'fault'])) return;
  const runtime = run('g++', ['-print-file-name=libasan.so']).text.trim();
  const environment = {
    // Node is not compiled with it, so that the runtime must be there before.
    LD_PRELOAD: runtime,
    // V8 keeps what it has until the process ends: its leaks would hide ours.
    ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:detect_odr_violation=0',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    NLRCNN_BINARY: join(ROOT, 'build-asan', 'nlrcnn.node'),
    NLRCNN_TEST_DEVICE: 'cpu',
  };
  const load = (fault) =>
    run(process.execPath, ['-e', `require(${JSON.stringify(join(ROOT, 'build-asan', 'fault.node'))})`], {
      ...environment,
      ...(fault && { NLRCNN_FAULT: fault }),
    });
  const clean = load('');
  if (!count('an addon without a fault passes', clean.status === 0)) return tail(clean.text);
  for (const [fault, words] of [
    ['bounds', /AddressSanitizer: heap-buffer-overflow/],
    ['overflow', /runtime error: signed integer overflow/],
  ]) {
    const { status, text } = load(fault);
    if (!count(`the planted fault is found: ${fault}`, status !== 0 && words.test(text))) return tail(text);
  }
  const ava = join('node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const { status, text } = run(
    process.execPath,
    [ava, '--tap', '--timeout=9m', '--concurrency', values.jobs, ...values.tests.split(',')],
    environment,
  );
  const good = text.split('\n').filter((line) => /^ok /.test(line) && !/# SKIP/i.test(line)).length;
  const bad = text.split('\n').filter((line) => /^not ok /.test(line)).length;
  passed += good;
  failed += bad;
  if (bad > 0 || status !== 0) process.stdout.write(`${text.split('\n').filter(interesting).join('\n')}\n`);
  count(
    `no fault in ${good} tests under AddressSanitizer and UndefinedBehaviorSanitizer`,
    status === 0 && good > 0 && !/AddressSanitizer|runtime error:/.test(text),
  );
}

const interesting = (line) =>
  /^not ok|Sanitizer|runtime error:|^\s+#\d+ |message:|exited|timed out/.test(line);

function threadSanitizer() {
  if (!build('build-tsan', ['-DNLRCNN_THREAD_TEST=ON'], ['thread_test'])) return;
  const test = join('build-tsan', 'native', 'selftest', 'thread_test');
  // oneDNN's OpenMP is not instrumented; with one thread it starts none.
  const environment = { OMP_NUM_THREADS: '1', TSAN_OPTIONS: 'halt_on_error=0:exitcode=66' };
  const fault = run(test, ['--fault'], environment);
  const found = fault.status === 66 && /ThreadSanitizer: data race/.test(fault.text);
  if (!count('the planted race is found', found)) return tail(fault.text);
  const { status, text } = run(test, [], environment);
  const lines = text.split('\n');
  for (const line of lines.filter((each) => /: (ok|failed)$/.test(each)))
    count(line.replace(/: \w+$/, ''), line.endsWith(': ok'));
  if (status !== 0) tail(text);
  count('no race', status === 0 && !/ThreadSanitizer/.test(text));
}

if (all || values.asan) addressSanitizer();
if (all || values.tsan) threadSanitizer();
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
