import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import type { CocoDataset } from '../../dist/index.js';
import { runCli } from '../helpers/run-node.js';

const SAMPLES = join(__dirname, '..', '..', 'models', 'samples');
const touching = join(SAMPLES, 'touching.png');
const large = join(SAMPLES, 'large.png');
const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

test('JSON and overlay are written by default, and a line tells what was found', async (t) => {
  const out = join(fresh(), 'new', 'folder');
  const { code, stdout, stderr } = await runCli('segment', touching, '--out', out);
  t.is(code, 0, stderr);
  t.deepEqual(readdirSync(out).sort(), ['touching.json', 'touching.overlay.png']);
  const result = json(out, 'touching.json');
  t.deepEqual(Object.keys(result), [
    'image',
    'width',
    'height',
    'model',
    'device',
    'precision',
    'milliseconds',
    'detections',
  ]);
  t.deepEqual(
    [result.image, result.width, result.height, result.device, result.precision],
    ['touching.png', 256, 256, 'cpu', 'fp32'],
  );
  t.true(result.milliseconds.total > 0);
  const [first] = result.detections;
  t.deepEqual(Object.keys(first), ['label', 'labelId', 'score', 'box', 'mask']);
  t.deepEqual(first.mask.size, [256, 256]);
  t.regex(stdout, /touching\.png {2}256×256 {2}\d+ × nucleus/);
  t.is((await sharp(join(out, 'touching.overlay.png')).metadata()).width, 768);
});

test('all formats of several pictures, equal names apart', async (t) => {
  const [out, other] = [fresh(), fresh()];
  copyFileSync(touching, join(other, 'large.png'));
  const { code } = await runCli(
    'segment',
    large,
    join(other, 'large.png'),
    '--out',
    out,
    '--format',
    'json,overlay,png,coco,polygons',
    '--score',
    '0.6',
  );
  t.is(code, 0);
  const endings = ['json', 'labels.png', 'overlay.png', 'polygons.json'];
  const expected = ['large', 'large-2'].flatMap((name) => endings.map((ending) => `${name}.${ending}`));
  t.deepEqual(readdirSync(out).sort(), [...expected, 'coco-results.json'].sort());
  // One data set of both; test/cli/eval.test.ts scores such a file.
  const { images, annotations: coco } = json(out, 'coco-results.json') as CocoDataset;
  t.is(new Set(images.map(({ id }) => id)).size, 2);
  t.is(coco.length, json(out, 'large.json').detections.length + json(out, 'large-2.json').detections.length);
  t.true(coco.every(({ score }) => score >= 0.6));
  const [polygon] = json(out, 'large.polygons.json').detections;
  t.true(polygon.polygons[0].exterior.length >= 8);
});

test('--out - prints the JSON alone; several pictures make an array', async (t) => {
  const one = await runCli('segment', touching, '--format', 'json', '--out', '-', '--max-detections', '3');
  t.is(one.code, 0);
  t.is(JSON.parse(one.stdout).detections.length, 3);
  // Where no device is named, one line says why it is the CPU.
  t.regex(one.stderr, /^nlrcnn: on the CPU, as .+\n$/);
  const named = await runCli('segment', touching, '--out', '-', '--device', 'cpu');
  t.is(named.stderr, '');
  const two = await runCli('segment', touching, large, '--out', '-');
  t.deepEqual(
    JSON.parse(two.stdout).map(({ image }: { image: string }) => image),
    ['touching.png', 'large.png'],
  );
});

test('a picture that fails does not stop the others, and the exit code tells', async (t) => {
  const out = fresh();
  const truncated = join(out, 'truncated.png');
  writeFileSync(truncated, readFileSync(large).subarray(0, 9000));
  const { code, stderr } = await runCli(
    'segment',
    truncated,
    join(out, 'none.png'),
    out,
    touching,
    '--out',
    out,
    '--format',
    'json',
    '--device',
    'cpu',
  );
  t.is(code, 1);
  t.true(existsSync(join(out, 'touching.json')));
  t.is(stderr.trim().split('\n').length, 3);
  t.regex(stderr, /truncated\.png did not decode/);
  t.regex(stderr, /none\.png does not exist/);
  t.regex(stderr, /is a directory/);
});

test('wrong usage ends with 2 and a hint', async (t) => {
  const cases: [string[], RegExp][] = [
    [['segment'], /at least one picture/],
    [['segment', touching, '--colour'], /--colour/],
    [['segment', touching, '--score', 'high'], /from 0 to 1 for --score but received high/],
    [['segment', touching, '--score', '1.2'], /from 0 to 1/],
    [['segment', touching, '--max-detections', '-1'], /max-detections/],
    [['segment', touching, '--format', 'xml'], /json, overlay, png, coco, polygons but received "xml"/],
    [['segment', touching, '--out', '-', '--format', 'overlay'], /--format json with --out -/],
    [['segment', touching, '--model', 'a', '--weights', 'b'], /either --model or --weights/],
    [['segmnt'], /Expected a command/],
    [['doctor', 'please'], /no arguments/],
    [[], /Usage/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr, stdout } = await runCli(...args);
    t.is(code, 2, args.join(' '));
    t.regex(stderr, message);
    t.is(stdout, '');
  }
});

test('what cannot be done ends with 1 and one line that says what to do', async (t) => {
  const folder = fresh();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const cases: [string[], RegExp][] = [
    [['--device', 'cuda'], /use --device cpu/],
    [['--device', 'tpu'], /auto, cpu, cuda/],
    [['--precision', 'bf16'], /precision fp32/],
    [['--model', 'none'], /nuclei-r18-fpn128-nl/],
    [['--weights', file], /safetensors file but it has 0 bytes/],
    [['--weights', join(folder, 'none.safetensors')], /cannot be opened/],
    [['--config', file], /expected JSON/],
    [['--out', join(file, 'below')], /choose another --out/],
    [['--out', '/proc/nlrcnn'], /choose another --out/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await runCli('segment', touching, ...args);
    t.is(code, 1, args.join(' '));
    t.regex(stderr, message);
    t.is(stderr.trim().split('\n').length, 1);
  }
});

// Root may write anywhere.
const unprivileged = process.getuid!() === 0 ? test.skip : test;
unprivileged('a folder without write permission is refused before any work', async (t) => {
  const folder = join(fresh(), 'closed');
  mkdirSync(folder);
  chmodSync(folder, 0o500);
  const { code, stderr } = await runCli('segment', touching, '--out', folder);
  t.is(code, 1);
  t.regex(stderr, /EACCES/);
});

test('help and version', async (t) => {
  for (const args of [['--help'], ['segment', '--help'], ['doctor', '--help']]) {
    const { code, stdout } = await runCli(...args);
    t.is(code, 0);
    t.regex(stdout, /Example/);
  }
  t.regex((await runCli('--version')).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('doctor tells what is there, in words and as JSON', async (t) => {
  const words = await runCli('doctor');
  t.is(words.code, 0);
  t.regex(words.stdout, /oneDNN +[23]\.\d/);
  const { addon, cuda } = JSON.parse((await runCli('doctor', '--json')).stdout);
  t.true(addon.cpu.threads >= 1);
  t.regex(cuda.verdict, /CUDA is not used/);
});
