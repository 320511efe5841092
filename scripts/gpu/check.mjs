// Builds the package on a GPU machine and runs its tests, sanitizers and benchmarks there; writes one result file.
//
//   bash check.sh [--only build,test,sanitize,kernels,model,agreement] [--out FILE] [--python PYTHON]
//     [--models DIR] [--quick] [--emulated]
//
// Every stage can run alone once `build` has; one that fails is noted and the others go on.
//
//   --python    has PyTorch and torchvision, for their times on the same GPU
//   --models    this package's models folder, for the weights that the pack leaves out
//   --quick     tiny benchmarks
//   --emulated  all of it without a GPU, on the emulation of the kernels, to try this script

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sanitize } from './sanitize.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILD = join(HERE, 'build');
/** Seconds after which a stage is given up. */
const LIMITS = { build: 300, test: 280, sanitize: 200, kernels: 420, model: 420, agreement: 100 };

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(LIMITS).join(',') },
    out: { type: 'string', default: 'gpu-check.json' },
    python: { type: 'string', default: '' },
    models: { type: 'string' },
    quick: { type: 'boolean', default: false },
    emulated: { type: 'boolean', default: false },
  },
});
const out = resolve(values.out);
if (values.models) cpSync(values.models, join(HERE, 'models'), { recursive: true });
const plugin = join(BUILD, 'Release', `libnlrcnn_${values.emulated ? 'emulated' : 'cuda'}.so`);
const environment = {
  ...process.env,
  NLRCNN_BINARY: join(BUILD, 'Release', 'nlrcnn.node'),
  NLRCNN_CUDA_PLUGIN: values.emulated ? plugin : undefined,
  NLRCNN_TEST_DEVICE: values.emulated ? undefined : 'cuda:0',
};

/** Runs a command; what it prints comes back. */
function run(command, args, seconds, env = {}) {
  const started = Date.now();
  const result = spawnSync(command, args, {
    cwd: HERE,
    env: { ...environment, ...env },
    timeout: 1000 * seconds,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return {
    text: result.stdout ?? '',
    seconds: (Date.now() - started) / 1000,
    missing: result.error?.code === 'ENOENT',
    problem: result.error?.message ?? (result.status === 0 ? undefined : `exit code ${result.status}`),
  };
}

const first = (command, args) => {
  const { stdout, error } = spawnSync(command, args, { encoding: 'utf8' });
  return error ? '' : stdout.trim().split('\n')[0];
};

/** The GPU's own architecture: kernels for others would only take time. */
function architecture() {
  const digits = first('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader']).replace('.', '');
  return Number(digits) >= 90 ? `${digits}a-real` : `${digits || '90a'}-real`;
}

function build(seconds) {
  const kinds = values.emulated
    ? ['-DNLRCNN_CUDA=OFF', '-DNLRCNN_EMULATION=ON']
    : [`-DCMAKE_CUDA_ARCHITECTURES=${architecture()}`];
  const headers = join(HERE, 'node_modules', 'node-api-headers', 'include');
  const configured = run(
    'cmake',
    [
      '-S',
      HERE,
      '-B',
      BUILD,
      `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(BUILD, 'Release')}`,
      `-DCMAKE_JS_INC=${headers};${join(HERE, 'node_modules', 'node-addon-api')}`,
      `-DDNNL_INCLUDE=${join(HERE, 'machine', 'include')}`,
      `-DDNNL_LIBRARY=${join(
        HERE,
        'machine',
        'lib',
        readdirSync(join(HERE, 'machine', 'lib')).find((name) => name.startsWith('libdnnl')),
      )}`,
      ...kinds,
    ],
    seconds,
  );
  if (configured.problem) return configured;
  const built = run('cmake', ['--build', BUILD, '--parallel', String(availableParallelism())], seconds);
  const made = existsSync(plugin) ? undefined : `no ${plugin}: see what CMake says of the CUDA plugin above`;
  return { seconds: configured.seconds + built.seconds, problem: built.problem ?? made };
}

const AVA = join('node_modules', 'ava', 'entrypoints', 'cli.mjs');
const FILES = [
  'dist-test/ops/*.js',
  'dist-test/cuda/device.test.js',
  'dist-test/cuda/precision.test.js',
  'dist-test/models/networks.test.js',
];

function test(seconds) {
  const { text, ...rest } = run(process.execPath, [AVA, '--tap', '--timeout=4m', ...FILES], seconds);
  const lines = text.split('\n');
  const passed = lines.filter((line) => /^ok /.test(line) && !/# SKIP/i.test(line)).length;
  // Each failure with the message below it.
  const failures = lines.flatMap((line, i) =>
    /^not ok /.test(line)
      ? [
          `${line.slice(7)}: ${lines.slice(i + 1, i + 40).find((l) => /message:|values?:/.test(l)) ?? ''}`.trim(),
        ]
      : [],
  );
  for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
  return { passed, failed: failures.length, failures, ...rest };
}

const sanitized = (seconds) =>
  sanitize({
    run,
    ava: [process.execPath, AVA],
    files: [FILES[0]],
    addon: join(BUILD, 'Release', 'cuda_fault.node'),
    seconds,
  });

/** A stage of `npm run bench:cuda`. */
function bench(stage, seconds) {
  const file = join(HERE, `${stage}.json`);
  rmSync(file, { force: true });
  const args = ['dist-bench/cuda/main.js', '--only', stage, '--out', file];
  if (values.python) args.push('--python', values.python);
  if (values.quick) args.push('--quick');
  const { text, problem, seconds: took } = run(process.execPath, args, seconds);
  process.stdout.write(text);
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  return { ...report?.results?.[stage], problem, seconds: took };
}

const STAGES = { build, test, sanitize: sanitized };
const report = existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')) : { stages: {} };
Object.assign(report, {
  date: new Date().toISOString(),
  command: `bash check.sh ${process.argv.slice(2).join(' ')}`.trim(),
  commit: readFileSync(join(HERE, 'commit'), 'utf8').trim(),
  machine: {
    gpu: first('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']),
    cpu: cpus()[0].model,
    cores: cpus().length,
    nvcc: spawnSync('nvcc', ['--version'], { encoding: 'utf8' }).stdout?.match(/release \S+/)?.[0] ?? '',
    node: process.version,
  },
});
for (const stage of values.only.split(',')) {
  // Emulated kernels are built where CI runs, beside other work.
  const limit = LIMITS[stage] * (values.emulated ? 3 : 1);
  if (!limit) throw new Error(`no stage named ${stage}: there are ${Object.keys(LIMITS).join(', ')}`);
  process.stdout.write(`== ${stage}\n`);
  report.stages[stage] = STAGES[stage] ? STAGES[stage](limit) : bench(stage, limit);
  // After each stage, as the next may be the one that the machine does not survive.
  writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
  if (stage === 'build' && report.stages.build.problem) break;
}
process.stdout.write('\n');
let failed = false;
for (const stage of values.only.split(',')) {
  const result = report.stages[stage];
  const bad = !result || result.problem || result.failed > 0;
  failed ||= Boolean(bad);
  const counts = result?.passed === undefined ? '' : `, ${result.passed} passed, ${result.failed} failed`;
  const seconds = result?.seconds === undefined ? '' : `, ${result.seconds.toFixed(0)} s`;
  process.stdout.write(
    `${stage}: ${bad ? `failed (${result?.problem ?? 'see above'})` : 'ok'}${counts}${seconds}\n`,
  );
}
process.exitCode = failed ? 1 : 0;
