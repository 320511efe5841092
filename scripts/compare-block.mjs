// Trains a network with and without its Non-local RoI block, several seeds each, scores all on a split that was not trained
// on, and writes a result file. Runs that are done are kept, others go on from their last checkpoint.
//
//   node scripts/compare-block.mjs CONFIG.json --out RUNS --result FILE [--seeds 0,1,2] [--split test] [--set KEY=VALUE …]
//
// A network with and one without the block train side by side, half the cores each.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CLI = join(ROOT, 'dist', 'cli', 'main.js');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    result: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2' },
    split: { type: 'string', default: 'test' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
if (positionals.length !== 1 || !values.out || !values.result) {
  console.error(
    'Usage: node scripts/compare-block.mjs CONFIG.json --out RUNS --result FILE [--seeds 0,1,2] [--split test] [--set KEY=VALUE …]',
  );
  process.exit(2);
}
const [config] = positionals;
const threads = Math.max(1, Math.floor(cpus().length / 2));
const env = { ...process.env, OMP_NUM_THREADS: String(threads) };
const settings = [...values.set, 'evaluate_every=null'];
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
const jsonLines = (path) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

async function nlrcnn(args) {
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`nlrcnn ${args.join(' ')} ended with ${code}`);
  return text;
}

async function run(block, seed) {
  const folder = join(values.out, `${block ? 'with' : 'without'}-${seed}`);
  const found = join(folder, 'scores.json');
  if (!existsSync(found)) {
    const sets = [...settings, `seed=${seed}`, ...(block ? [] : ['model.non_local_roi=null'])];
    const resume = existsSync(join(folder, 'config.json')) ? ['--resume'] : [];
    await nlrcnn(['train', config, '--out', folder, ...resume, ...sets.flatMap((set) => ['--set', set])]);
    const { data, steps } = json(join(folder, 'config.json'));
    const done = jsonLines(join(folder, 'metrics.jsonl')).length;
    if (done < steps) throw new Error(`${folder} was stopped after ${done} of ${steps} steps`);
    const scores = await nlrcnn([
      ...['eval', '--data', data.dir, '--format', data.format, '--split', values.split],
      ...['--metric', 'coco,stardist', '--weights', join(folder, 'model', 'weights.safetensors'), '--json'],
    ]);
    writeFileSync(found, scores);
  }
  const steps = jsonLines(join(folder, 'metrics.jsonl'));
  const last = steps.slice(-100);
  const scores = json(found);
  return {
    block,
    seed,
    steps: steps.length,
    seconds: round(steps.reduce((sum, step) => sum + step.seconds, 0)),
    loss: round(last.reduce((sum, { loss }) => sum + loss, 0) / last.length),
    stardist: Object.fromEntries(Object.entries(scores.stardist).map(([iou, value]) => [iou, round(value)])),
    ...Object.fromEntries(
      ['segm', 'bbox'].flatMap((kind) =>
        ['AP', 'AP50', 'AP75'].map((name, i) => [`${kind}_${name}`, round(scores[kind][i])]),
      ),
    ),
  };
}

const round = (value) => Number(value.toPrecision(4));

/** Mean and standard deviation of each number over the seeds. */
function summary(runs) {
  const names = ['segm_AP', 'segm_AP50', 'segm_AP75', 'bbox_AP', 'loss'];
  const columns = [
    ...names.map((name) => [name, runs.map((one) => one[name])]),
    ...Object.keys(runs[0].stardist).map((iou) => [`stardist_${iou}`, runs.map((one) => one.stardist[iou])]),
  ];
  return Object.fromEntries(
    columns.map(([name, own]) => {
      const mean = own.reduce((a, b) => a + b, 0) / own.length;
      const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      return [
        name,
        { mean: round(mean), sd: own.length > 1 ? round(Math.sqrt(squares / (own.length - 1))) : null },
      ];
    }),
  );
}

function write(runs) {
  const { binding } = createRequire(import.meta.url)(join(ROOT, 'dist', 'binding.js'));
  const pick = (block) => runs.filter((one) => one.block === block);
  const report = {
    date: new Date().toISOString(),
    command: `node scripts/compare-block.mjs ${process.argv.slice(2).join(' ')}`,
    machine: {
      cpu: cpus()[0].model,
      cores: cpus().length,
      threads,
      memory: totalmem(),
      kernel: release(),
      ...binding().cpuInfo(),
    },
    versions: {
      node: process.version,
      commit: execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
    },
    config: json(config),
    with: summary(pick(true)),
    without: summary(pick(false)),
    runs,
  };
  mkdirSync(dirname(resolve(values.result)), { recursive: true });
  writeFileSync(values.result, `${JSON.stringify(report, null, 2)}\n`);
}

const runs = [];
for (const seed of values.seeds.split(',')) {
  runs.push(...(await Promise.all([true, false].map((block) => run(block, Number(seed))))));
  write(runs);
}
