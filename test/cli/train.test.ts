import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { loadModel } from '../../dist/model.js';
import { SafetensorsFile } from '../../dist/weights/safetensors.js';
import { runCli } from '../helpers/run-node.js';
import { discs, smallConfig } from '../helpers/small-training.js';

const ROOT = join(__dirname, '..', '..');
const SAMPLES = join(ROOT, 'models', 'samples');
const FIXTURES = join(ROOT, 'test', 'fixtures', 'datasets');
const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));

const trainCli = (...args: string[]) => runCli('train', ...args, '--device', 'cpu');

test('init-config looks into the data; what it prints is what train takes', async (t) => {
  const data = await discs();
  const { code, stdout, stderr } = await runCli(
    'init-config',
    '--data',
    data,
    '--format',
    'labelmaps',
    '--set',
    'data.class_name=disc',
    '--set',
    'steps=7',
  );
  t.is(code, 0, stderr);
  const config = JSON.parse(stdout);
  t.deepEqual(config.model.class_names, ['background', 'disc']);
  t.deepEqual([config.data.train_split, config.data.val_split, config.steps], ['train', 'val', 7]);
  // Discs of some 16 pixels: pictures become twice as large, the smallest anchors fit the smallest discs.
  t.is(config.model.min_size, 128);
  t.true(config.model.anchor_sizes[0][0] <= 16);
  t.deepEqual(config.model.input_normalization, { percentiles: [1, 99.8] });
  t.is(config.crop[0] % 32, 0);
});

test('init-config of other formats, and without data', async (t) => {
  const coco = await runCli('init-config', '--data', join(FIXTURES, 'coco'), '--format', 'coco');
  t.is(coco.code, 0, coco.stderr);
  const { data, model } = JSON.parse(coco.stdout);
  t.deepEqual([data.train_split, data.val_split], ['train', null]);
  t.is(model.class_names.length, model.num_classes);
  for (const format of ['cityscapes', 'kitti']) {
    const { code, stdout, stderr } = await runCli(
      'init-config',
      '--data',
      join(FIXTURES, format),
      '--format',
      format,
    );
    t.is(code, 0, stderr);
    t.is(JSON.parse(stdout).model.num_classes, 9);
  }
  const plain = JSON.parse((await runCli('init-config')).stdout);
  t.is(plain.model.backbone, 'resnet50');
  t.is(plain.sampling.box_batch_size_per_image, 512);
});

test('wrong usage ends with 2, what cannot be done with 1 and one line', async (t) => {
  const config = await smallConfig();
  const none = join(fresh(), 'none');
  const noConfig = join(fresh(), 'no.json');
  writeFileSync(noConfig, '[1]');
  const cases: [number, string[], RegExp][] = [
    [2, ['train'], /one config file/],
    [2, ['train', 'a', 'b'], /one config file/],
    [2, ['train', config, '--steps', '3'], /--steps/],
    [2, ['init-config', '--data', '.'], /--data and --format together/],
    [
      2,
      ['init-config', '--data', '.', '--format', 'voc'],
      /labelmaps, coco, cityscapes, kitti but received voc/,
    ],
    [2, ['attention'], /one picture/],
    [2, ['attention', 'a.png'], /--roi/],
    [2, ['attention', 'a.png', '--roi', '0', '--head', 'keypoint'], /--head of box, mask/],
    [1, ['train', none], /none cannot be read \(ENOENT\)/],
    [1, ['train', noConfig], /expected an object/],
    [
      1,
      ['train', config, '--set', 'optimizer.lr=fast'],
      /a positive number for optimizer\.lr but received "fast"/,
    ],
    [1, ['train', config, '--set', 'optimiser.lr=1'], /did you mean optimizer\?/],
    [
      1,
      ['train', config, '--set', 'model.num_classes=3'],
      /model\.num_classes 2 for the data's classes \(background, disc\)/,
    ],
    [1, ['train', config, '--set', 'data.dir=/none'], /\/none/],
    [1, ['train', config, '--set', 'precision=bf16'], /precision fp32 on device cpu/],
    [1, ['train', config, '--set', `init=${none}`], /none/],
    [1, ['train', config, '--device', 'tpu'], /auto, cpu, cuda/],
    [1, ['train', config, '--out', join(noConfig, 'run')], /choose another --out/],
    [
      1,
      ['attention', join(SAMPLES, 'sparse.png'), '--roi', '999', '--out', fresh()],
      /a detection of the picture, 0 to/,
    ],
  ];
  for (const [expected, args, message] of cases) {
    const out =
      args[0] === 'train' && !args.includes('--out') && args.length > 1
        ? ['--out', join(fresh(), 'run')]
        : [];
    const { code, stderr, stdout } = await runCli(...args, ...out);
    t.is(code, expected, `${args.join(' ')}: ${stderr}`);
    t.regex(stderr, message);
    t.is(stderr.trim().split('\n').length, 1, stderr);
    t.is(stdout, '');
  }
});

test('attention draws a picture and lists the weights', async (t) => {
  const out = fresh();
  const { code, stdout, stderr } = await runCli(
    'attention',
    join(SAMPLES, 'touching.png'),
    '--roi',
    '2',
    '--out',
    out,
  );
  t.is(code, 0, stderr);
  t.regex(stdout, /attends \(mask head, \d+ RoIs\)/);
  const { rois, roi } = JSON.parse(readFileSync(join(out, 'touching.attention.json'), 'utf8'));
  t.is(roi, 2);
  t.true(Math.abs(rois.reduce((sum: number, { weight }: { weight: number }) => sum + weight, 0) - 1) < 1e-9);
  t.is((await sharp(join(out, 'touching.attention.png')).metadata()).width, 768);
});

test('a run leaves a model that segments, and losses that are lower than at first', async (t) => {
  const config = await smallConfig({ steps: 30, checkpoint_every: 20 });
  const out = join(fresh(), 'run');
  const { code, stderr, stdout } = await trainCli(config, '--out', out, '--set', 'seed=5');
  t.is(code, 0, stderr);
  t.is(stdout, '');
  t.regex(stderr, /step 30\/30 {2}0:00:00 left .*pictures\/s .*loss .*classifier/);
  const metrics = readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.is(metrics.length, 30);
  for (const key of [
    'step',
    'lr',
    'loss_classifier',
    'loss_box_reg',
    'loss_mask',
    'loss_objectness',
    'loss_rpn_box_reg',
    'images_per_second',
  ])
    t.true(Number.isFinite(metrics[0][key]), key);
  const mean = (part: { loss: number }[]) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
  t.true(
    mean(metrics.slice(-8)) < 0.8 * mean(metrics.slice(0, 4)),
    `${mean(metrics.slice(0, 4))} -> ${mean(metrics.slice(-8))}`,
  );
  const weights = join(out, 'model', 'weights.safetensors');
  const model = await loadModel({ weights, device: 'cpu' });
  t.deepEqual(model.config.class_names, ['background', 'disc']);
  const { width } = await model.segment(
    join(JSON.parse(readFileSync(config, 'utf8')).data.dir, 'images', 'disc5.png'),
  );
  t.is(width, 72);
  model.dispose();
});

async function checkpointTensors(out: string): Promise<[string, Float32Array][]> {
  const last = readdirSync(out)
    .filter((name) => name.startsWith('checkpoint-'))
    .sort()
    .at(-1)!;
  const all: [string, Float32Array][] = [];
  for (const set of ['weights', 'optimizer', 'average']) {
    const file = await SafetensorsFile.open(join(out, last, `${set}.safetensors`));
    for (const name of file.entries.keys()) all.push([`${last}/${set}/${name}`, await file.read(name)]);
    await file.close();
  }
  return all;
}

function start(...args: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'dist', 'cli', 'main.js'), 'train', ...args, '--device', 'cpu'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { child, output: () => text };
}

async function untilStep(out: string, step: number, child: ChildProcess): Promise<void> {
  const path = join(out, 'metrics.jsonl');
  while (!existsSync(path) || readFileSync(path, 'utf8').split('\n').length <= step) {
    if (child.exitCode !== null) throw new Error('the run ended before');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('Ctrl-C, SIGTERM and kill -9: a resumed run ends with the bits of one without interruption', async (t) => {
  const config = await smallConfig({ steps: 14 });
  const [straight, broken] = [join(fresh(), 'run'), join(fresh(), 'run')];
  t.is((await trainCli(config, '--out', straight)).code, 0);
  for (const [signal, step] of [
    ['SIGINT', 2],
    ['SIGKILL', 5],
    ['SIGTERM', 8],
  ] as const) {
    const { child, output } = start(config, '--out', broken, '--resume');
    await untilStep(broken, step, child);
    child.kill(signal);
    const [code, killed] = await once(child, 'close');
    if (signal === 'SIGKILL') t.is(killed, 'SIGKILL');
    else {
      t.is(code, 0, output());
      t.regex(output(), /stopped at step \d+; --resume continues/);
    }
  }
  const { code, stderr } = await trainCli(config, '--out', broken, '--resume');
  t.is(code, 0, stderr);
  t.deepEqual(await checkpointTensors(broken), await checkpointTensors(straight));
});

test('a second Ctrl-C ends the run at once', async (t) => {
  const config = await smallConfig({ steps: 100000 });
  const out = join(fresh(), 'run');
  const { child } = start(config, '--out', out);
  await untilStep(out, 1, child);
  child.stderr!.on('data', (chunk: Buffer) => {
    if (/Ctrl-C again ends at once/.test(chunk.toString())) child.kill('SIGINT');
  });
  child.kill('SIGINT');
  const [code, signal] = await once(child, 'close');
  // Where the step was done before the second came, the run ends by itself.
  t.true(signal === 'SIGINT' || code === 0, `${signal ?? code}`);
});

test('a picture that cannot be read is named, and skipped where the config says so', async (t) => {
  const config = await smallConfig({ steps: 6 });
  const { dir } = JSON.parse(readFileSync(config, 'utf8')).data;
  truncateSync(join(dir, 'images', 'disc1.png'), 200);
  const failed = await trainCli(config, '--out', join(fresh(), 'run'));
  t.is(failed.code, 1);
  t.regex(failed.stderr, /disc1\.png/);
  const skipped = await trainCli(config, '--out', join(fresh(), 'run'), '--set', 'on_data_error=skip');
  t.is(skipped.code, 0, skipped.stderr);
  t.regex(skipped.stderr, /skipped: .*disc1\.png/);
});

test('a rate that makes the loss infinite ends with 1 and the batch saved', async (t) => {
  const config = await smallConfig({ steps: 50, optimizer: { type: 'sgd', lr: 1e5, momentum: 0 } });
  const out = join(fresh(), 'run');
  const { code, stderr } = await trainCli(config, '--out', out);
  t.is(code, 1);
  const [, what, folder] =
    stderr.match(/nlrcnn: (.*) at step \d+, on disc.*the batch is in (\S+?)(,|\n)/) ?? [];
  t.regex(what ?? '', /is (NaN|-?Infinity|not finite)/, stderr);
  t.deepEqual(readdirSync(folder!).sort(), ['0.png', '1.png', 'batch.json', 'batch.safetensors']);
  const { samples } = JSON.parse(readFileSync(join(folder!, 'batch.json'), 'utf8'));
  t.is(samples.length, 2);
  const batch = await SafetensorsFile.open(join(folder!, 'batch.safetensors'));
  t.deepEqual(batch.entries.get('1.pixels')!.shape, [64, 64, 1]);
  t.true((await batch.read('0.pixels')).every((value) => value >= 0 && value <= 1));
  await batch.close();
});
