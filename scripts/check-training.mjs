// Checks that training survives: kill -9 at random moments and --resume end with the same bits as an uninterrupted run;
// 500 steps without growing memory. Makes its own pictures; takes some minutes. On the CPU.
//
//   node scripts/check-training.mjs [crash] [soak] [--kills N] [--steps N]

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: 'string', default: '20' }, steps: { type: 'string', default: '500' } },
});
const wanted = positionals.length > 0 ? positionals : ['crash', 'soak'];
const [KILLS, SOAK_STEPS] = [Number(values.kills), Number(values.steps)];
const CRASH_STEPS = 60;
const CHECKPOINT_EVERY = 4;
/** Steps until memory has settled, and how much it may grow afterwards. */
const SETTLED = 50;
const GROWTH = 1.03;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const say = (text) => process.stdout.write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-training-'));
const data = join(folder, 'data');
const config = join(folder, 'config.json');

/** Pictures of bright discs on noise, with a label map each. */
async function makeData() {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (const part of ['images', 'labels']) mkdirSync(join(data, part), { recursive: true });
  for (let n = 0; n < 10; n++) {
    const [width, height] = [80 + (n % 3) * 8, 72];
    const pixels = Uint8Array.from({ length: width * height }, () => 30 * random());
    const labels = new Uint16Array(width * height);
    for (let k = 1; k <= 6; k++) {
      const [x, y, r] = [width * random(), height * random(), 5 + 7 * random()];
      for (let i = 0; i < labels.length; i++) {
        if (Math.hypot((i % width) - x, Math.floor(i / width) - y) > r) continue;
        labels[i] = k;
        pixels[i] = 120 + 100 * random();
      }
    }
    const raw = { width, height, channels: 1 };
    await sharp(pixels, { raw })
      .toColourspace('b-w')
      .png()
      .toFile(join(data, 'images', `${n}.png`));
    await sharp(labels, { raw })
      .toColourspace('grey16')
      .png()
      .toFile(join(data, 'labels', `${n}.png`));
  }
}

const CONFIG = {
  model: {
    backbone: 'resnet18',
    fpn_channels: 32,
    num_classes: 2,
    norm: 'batch',
    min_size: 64,
    max_size: 128,
    anchor_sizes: [[8], [16], [32], [64], [128]],
    box_head_fc: 64,
    mask_head_convs: 1,
    mask_head_channels: 32,
    non_local_roi: { heads: ['box', 'mask'], scale: 'rsqrt' },
  },
  data: {
    format: 'labelmaps',
    dir: data,
    workers: 1,
    augment: { vertical_flip: 0.5, rotate90: true, scale: [0.8, 1.2] },
  },
  optimizer: { type: 'adamw', lr: 1e-3, clip_norm: 5, ema: 0.99 },
  schedule: { type: 'cosine', warmup_steps: 5 },
  sampling: { rpn_post_nms_top_n_train: 100, box_batch_size_per_image: 32 },
  batch_size: 2,
  crop: [64, 64],
  seed: 11,
};

function start(out, settings) {
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const cli = join(ROOT, 'dist', 'cli', 'main.js');
  const args = [cli, 'train', config, '--out', out, '--resume', '--device', 'cpu', ...set];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function finish(child) {
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the run ended with ${code ?? signal}:\n${text}`);
  return { code, text };
}

const linesOf = (out) => {
  const path = join(out, 'metrics.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
};
const checkpoints = (out) =>
  existsSync(out)
    ? readdirSync(out)
        .filter((name) => name.startsWith('checkpoint-'))
        .map((name) => Number(name.slice(11)))
    : [];

/** Hash of all tensors of the last checkpoint, the model and the metrics without times. */
function digest(out) {
  const last = String(Math.max(...checkpoints(out))).padStart(8, '0');
  const hash = createHash('sha256');
  for (const name of ['weights', 'optimizer', 'average'])
    hash.update(readFileSync(join(out, `checkpoint-${last}`, `${name}.safetensors`)));
  hash.update(readFileSync(join(out, 'model', 'weights.safetensors')));
  for (const line of linesOf(out)) {
    const { seconds: _, images_per_second: __, ...rest } = JSON.parse(line);
    hash.update(JSON.stringify(rest));
  }
  return hash.digest('hex');
}

async function crash() {
  const settings = { steps: CRASH_STEPS, checkpoint_every: CHECKPOINT_EVERY };
  const [straight, broken] = [join(folder, 'straight'), join(folder, 'broken')];
  const from = performance.now();
  await finish(start(straight, settings));
  const seconds = (performance.now() - from) / 1000;
  say(`crash: ${CRASH_STEPS} steps without interruption in ${seconds.toFixed(1)} s`);
  let most = 0;
  for (let kill = 0, done = false; kill < KILLS; ) {
    if (done) rmSync(broken, { recursive: true });
    const child = start(broken, settings);
    const end = finish(child);
    // Long enough to get some steps further on average, short enough to hit the beginning too.
    await Promise.race([setTimeout(1000 * seconds * 0.5 * Math.random()), end]);
    done = child.exitCode !== null;
    if (done) continue;
    child.kill('SIGKILL');
    await end;
    kill++;
    const logged = linesOf(broken).length;
    const saved = Math.max(0, ...checkpoints(broken));
    if (logged - saved > CHECKPOINT_EVERY)
      throw new Error(`${logged} steps done but a checkpoint of ${saved}`);
    most = Math.max(most, logged - saved);
  }
  const { text } = await finish(start(broken, settings));
  if (/passed over/.test(text)) throw new Error(`a checkpoint could not be read:\n${text}`);
  if (digest(broken) !== digest(straight))
    throw new Error('the resumed run differs from the uninterrupted one');
  say(`crash: killed ${KILLS} times, lost at most ${most} steps each, ended with the same bits`);
}

async function soak() {
  const out = join(folder, 'soak');
  const child = start(out, { steps: SOAK_STEPS, checkpoint_every: 20 });
  const end = finish(child);
  const samples = [];
  while (child.exitCode === null && child.signalCode === null) {
    await Promise.race([setTimeout(100), end]);
    const status = existsSync(`/proc/${child.pid}/status`)
      ? readFileSync(`/proc/${child.pid}/status`, 'utf8')
      : '';
    const rss = Number(status.match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) / 1024;
    if (rss > 0) samples.push({ step: linesOf(out).length, rss });
  }
  await end;
  const mean = (low, high) => {
    const part = samples.filter(({ step }) => step >= low && step < high);
    return part.reduce((sum, { rss }) => sum + rss, 0) / part.length;
  };
  const series = Array.from({ length: 10 }, (_, i) =>
    mean((i * SOAK_STEPS) / 10, ((i + 1) * SOAK_STEPS) / 10).toFixed(0),
  );
  say(`soak: MB by tenth of the run: ${series.join(' ')}`);
  const [early, late] = [mean(SETTLED, 2 * SETTLED), mean(SOAK_STEPS - SETTLED, SOAK_STEPS)];
  say(
    `soak: ${SOAK_STEPS} steps, ${early.toFixed(0)} MB after the first ${SETTLED}, ${late.toFixed(0)} MB at the end`,
  );
  if (!(late <= GROWTH * early)) throw new Error(`memory grew by ${((late / early - 1) * 100).toFixed(1)} %`);
}

try {
  await makeData();
  writeFileSync(config, JSON.stringify(CONFIG));
  if (wanted.includes('crash')) await crash();
  if (wanted.includes('soak')) await soak();
  rmSync(folder, { recursive: true });
} catch (error) {
  process.stderr.write(`check-training: ${error.message}\n(what the runs left is in ${folder})\n`);
  process.exitCode = 1;
}
