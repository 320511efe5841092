// Makes the model of a training run the bundled one: weights in fp16, its config, and what it scores.
//
//   node scripts/embed-model.mjs RUN --data DIR [--name nuclei-r18-fpn128-nl] [--split test]

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { readStateDict } = require(join(ROOT, 'dist', 'weights', 'load.js'));
const { writeSafetensors } = require(join(ROOT, 'dist', 'weights', 'write-safetensors.js'));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    name: { type: 'string', default: 'nuclei-r18-fpn128-nl' },
    split: { type: 'string', default: 'test' },
  },
});
if (positionals.length !== 1 || !values.data) {
  console.error('Usage: node scripts/embed-model.mjs RUN --data DIR [--name NAME] [--split SPLIT]');
  process.exit(2);
}
const [run] = positionals;
const folder = join(ROOT, 'models', values.name);
mkdirSync(folder, { recursive: true });

const config = readFileSync(join(run, 'model', 'config.json'), 'utf8');
const { data, steps, seed } = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
const state = await readStateDict(join(run, 'model', 'weights.safetensors'));
const halves = new Map([...state].map(([name, tensor]) => [name, { ...tensor, dtype: 'F16' }]));
await writeSafetensors(join(folder, 'weights.safetensors'), halves, {
  'nlrcnn.config': JSON.stringify(JSON.parse(config)),
});
writeFileSync(join(folder, 'config.json'), config);

const args = [
  ...[
    'eval',
    '--model',
    values.name,
    '--data',
    values.data,
    '--format',
    data.format,
    '--split',
    values.split,
  ],
  ...['--metric', 'coco,stardist', '--json'],
];
const scores = JSON.parse(
  execFileSync(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), ...args], { encoding: 'utf8' }),
);
const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
const result = {
  date: new Date().toISOString(),
  command: `nlrcnn ${args.join(' ').replace(values.data, basename(values.data))}`,
  commit,
  training: { config: 'training.json', steps, seed },
  ...scores,
};
writeFileSync(join(folder, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
console.log(`${folder}: ${JSON.stringify(scores.stardist)}`);
