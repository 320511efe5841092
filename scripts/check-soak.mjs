// Checks that a process can segment for long: images of many sizes and kinds, broken ones, aborts and disposals among them,
// several at once. Every outcome is checked, a control image gives the same bits each time, and memory stays. Prints one line
// of JSON; exit code 1 where something is out of bounds. Makes its own images from the samples; takes some minutes. On the CPU.
//
//   node scripts/check-soak.mjs [--images N] [--settled N] [--growth PERCENT] [--at-once N] [--kinds N] [--longest N]
//                               [--dispose-every N] [--seed N]

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const { DEFAULT_MODEL, isNlrcnnError, loadModel, rleArea } = createRequire(import.meta.url)(
  join(ROOT, 'dist', 'index.js'),
);
const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '2000' },
    settled: { type: 'string', default: '200' },
    growth: { type: 'string', default: '3' },
    'at-once': { type: 'string', default: '4' },
    kinds: { type: 'string', default: '160' },
    longest: { type: 'string', default: '1500' },
    'dispose-every': { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const IMAGES = Number(values.images);
const SETTLED = Number(values.settled);
const GROWTH = Number(values.growth);
const AT_ONCE = Number(values['at-once']);
/** Different good images; each is met again and again, in another order. */
const KINDS = Number(values.kinds);
const LONGEST = Number(values.longest);
/** Smaller than the model's own, so that 2,000 images take minutes; of all else it is the bundled model. */
const SIZES = { min_size: 96, max_size: 320 };
/** After so many images the model is disposed of under way and another one loaded. */
const DISPOSE_EVERY = Number(values['dispose-every']);
/** One in so many is the control image. */
const CONTROL_EVERY = 25;

let state = Number(values.seed) >>> 0;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const pick = (list) => list[Math.floor(random() * list.length)];

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-soak-'));
const problems = [];
const outcomes = {};
const samples = ['dense', 'large', 'sparse', 'touching'].map((name) =>
  join(ROOT, 'models', 'samples', `${name}.png`),
);

/** A side from 1 to LONGEST, small ones as often as large ones. */
const side = () => Math.max(1, Math.round(Math.exp(random() * Math.log(LONGEST))));

/** Encoders by name; each takes a sharp pipeline. */
const ENCODINGS = {
  jpeg: (image) => image.jpeg({ quality: 80 }),
  'jpeg gray': (image) => image.toColourspace('b-w').jpeg(),
  png: (image) => image.png({ compressionLevel: 1 }),
  'png gray': (image) => image.toColourspace('b-w').png({ compressionLevel: 1 }),
  'png 16 bit': (image) => image.toColourspace('grey16').png({ compressionLevel: 1 }),
  'png 16 bit RGB': (image) => image.toColourspace('rgb16').png({ compressionLevel: 1 }),
  'png alpha': (image) => image.ensureAlpha(0.5).png({ compressionLevel: 1 }),
  webp: (image) => image.webp({ quality: 70, effort: 0 }),
  tiff: (image) => image.tiff({ compression: 'lzw' }),
  'tiff 16 bit': (image) => image.toColourspace('grey16').tiff(),
};
const RAW = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

/** One good image: how `segment` is given it, and what it must say of its size. */
async function makeGood(n) {
  const corner = [
    [1, 1],
    [1, 7],
    [LONGEST, 1],
    [LONGEST, Math.ceil(0.7 * LONGEST)],
    [Math.ceil(0.5 * LONGEST), LONGEST],
  ][n];
  const [width, height] = corner ?? [side(), side()];
  const image = sharp(pick(samples)).removeAlpha().resize(width, height, { fit: 'fill' });
  const kinds = [...Object.keys(ENCODINGS), ...Object.keys(RAW)];
  const kind = kinds[n % kinds.length];
  if (ENCODINGS[kind]) {
    const path = join(folder, `good-${n}`);
    writeFileSync(path, await ENCODINGS[kind](image).toBuffer());
    const input = n % 2 ? () => path : () => readFileSync(path);
    return { kind, width, height, input };
  }
  const channels = 1 + (n % 4);
  const rgba = await image.toColourspace('srgb').ensureAlpha().raw().toBuffer();
  const scale = { uint8: 1, uint16: 257, float32: 1 / 255 }[kind];
  const input = () => {
    const data = new RAW[kind](width * height * channels);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < channels; c++) data[i * channels + c] = rgba[4 * i + c] * scale;
    }
    return { data, width, height, channels };
  };
  return { kind: `raw ${kind}`, width, height, input };
}

/** Inputs that are no images, and the codes that they may be refused with. */
async function makeBroken() {
  const write = (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const png = readFileSync(samples[0]);
  const jpeg = await sharp(samples[0]).jpeg().toBuffer();
  mkdirSync(join(folder, 'directory'));
  const image = ['ERR_NLRCNN_IMAGE'];
  const io = ['ERR_NLRCNN_IO'];
  const argument = ['ERR_NLRCNN_ARGUMENT', 'ERR_NLRCNN_SHAPE', 'ERR_NLRCNN_IMAGE'];
  return [
    [write('truncated.png', png.subarray(0, png.length / 2)), image],
    [jpeg.subarray(0, jpeg.length / 3), image],
    [png.subarray(0, 40), image],
    [write('empty.png', ''), image],
    [new Uint8Array(0), image],
    [write('page.jpg', '<!doctype html><html><body>404 Not Found</body></html>'), image],
    [write('anim.png', await sharp(samples[3]).gif().toBuffer()), image],
    [
      write(
        'noise.tif',
        Uint8Array.from({ length: 5000 }, () => 256 * random()),
      ),
      image,
    ],
    [join(folder, 'none.png'), io],
    [join(folder, 'directory'), io],
    [{ data: new Uint8Array(10), width: 4, height: 4, channels: 3 }, argument],
    [{ data: new Uint8Array(0), width: 0, height: 4, channels: 3 }, argument],
    [{ data: [1, 2, 3], width: 1, height: 1, channels: 3 }, argument],
    [42, argument],
    [null, argument],
    [{}, argument],
  ].map(([input, codes]) => ({ input: () => input, codes }));
}

const config = {
  ...JSON.parse(readFileSync(join(ROOT, 'models', DEFAULT_MODEL, 'config.json'), 'utf8')),
  ...SIZES,
};
const load = () => loadModel({ device: 'cpu', config });

/** What is wrong with the result of an image, or undefined. */
function fault(result, { width, height }) {
  if (result?.width !== width || result.height !== height)
    return `a size of ${result?.width} × ${result?.height}, not ${width} × ${height}`;
  let before = 1;
  for (const { score, box, mask, label } of result.detections) {
    if (!(score <= before && score >= config.box_score_thresh)) return `a score of ${score} behind ${before}`;
    before = score;
    const [x1, y1, x2, y2] = box;
    // Boxes are clipped as the network sees them and scaled behind that, in float32.
    const [right, below] = [width * (1 + 1e-6), height * (1 + 1e-6)];
    if (!(x1 >= 0 && y1 >= 0 && x1 <= x2 && y1 <= y2 && x2 <= right && y2 <= below)) return `a box of ${box}`;
    if (label !== 'nucleus') return `a label ${label}`;
    if (mask.size.join() !== `${height},${width}`) return `a mask of ${mask.size}`;
    const area = rleArea(mask);
    if (!(area >= 0 && area <= width * height)) return `a mask of ${area} pixels`;
  }
}

const note = (what) => {
  outcomes[what] = (outcomes[what] ?? 0) + 1;
};

const rss = () => Number(readFileSync('/proc/self/status', 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024;
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;

async function soak() {
  const good = [];
  for (let n = 0; n < KINDS; n++) good.push(await makeGood(n));
  const broken = await makeBroken();
  const control = { width: 256, height: 256, input: () => samples[3] };
  let model = await load();
  let expected;
  const memory = [];
  const from = performance.now();

  /** One call of `segment`, its outcome checked. */
  async function one(n) {
    const isControl = n % CONTROL_EVERY === 0;
    const isBroken = !isControl && random() < 0.12;
    const aborted = !isControl && random() < 0.12;
    const target = isControl ? control : pick(isBroken ? broken : good);
    const own = model;
    const abort = new AbortController();
    const delay = random() < 0.2 ? 0 : 120 * random();
    const what = `${n} (${isControl ? 'control' : (target.kind ?? 'broken')})`;
    if (aborted && delay === 0) abort.abort();
    const options = aborted ? { signal: abort.signal } : {};
    const call = own.segment(target.input(), options);
    if (aborted && delay > 0) setTimeout(delay).then(() => abort.abort());
    try {
      const result = await call;
      if (isBroken) throw new Error('a result of what is no image');
      const wrong = fault(result, target);
      if (wrong) throw new Error(wrong);
      if (isControl) {
        const text = JSON.stringify(result.detections);
        expected ??= text;
        if (text !== expected) throw new Error('other detections than the first time');
      }
      note(isControl ? 'control' : aborted ? 'result before its abort' : 'result');
    } catch (error) {
      const allowed = [
        ...(isBroken ? target.codes : []),
        ...(aborted ? ['ERR_NLRCNN_CANCELLED'] : []),
        ...(own.disposed ? ['ERR_NLRCNN_DISPOSED'] : []),
      ];
      if (!isNlrcnnError(error) || !allowed.includes(error.code)) {
        problems.push(`${what}: ${isNlrcnnError(error) ? `${error.code} ` : ''}${error.message}`);
        note('problem');
      } else note(error.code);
    }
    memory.push(rss());
  }

  let next = 0;
  let reloading;
  async function work() {
    while (next < IMAGES && problems.length < 20) {
      const n = next++;
      if (n % DISPOSE_EVERY === DISPOSE_EVERY - 1 && !reloading) {
        // The others are in the middle of their images; it may be disposed of twice.
        reloading = load().then((fresh) => {
          const old = model;
          model = fresh;
          old.dispose();
          old.dispose();
          reloading = undefined;
          note('model replaced');
        });
      }
      await one(n);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await reloading;
  model.dispose();

  // Means over whole lives of several models: a fresh one holds less, and while it is loaded there are two.
  const window = Math.min(4 * DISPOSE_EVERY, Math.floor((IMAGES - SETTLED) / 2));
  const early = mean(memory.slice(SETTLED, SETTLED + window));
  const late = mean(memory.slice(-window));
  const growth = 100 * (late / early - 1);
  if (!(growth <= GROWTH)) problems.push(`memory grew by ${growth.toFixed(1)} %`);
  const done = Object.entries(outcomes).reduce(
    (sum, [what, n]) => sum + (what === 'model replaced' ? 0 : n),
    0,
  );
  if (done !== IMAGES && problems.length === 0) problems.push(`${done} outcomes of ${IMAGES} images`);
  const tenth = Math.ceil(memory.length / 10);
  return {
    images: IMAGES,
    outcomes,
    megabytes: {
      settled: Math.round(early),
      end: Math.round(late),
      tenths: Array.from({ length: 10 }, (_, i) =>
        Math.round(mean(memory.slice(i * tenth, (i + 1) * tenth)) || 0),
      ),
    },
    growthPercent: Number(growth.toFixed(2)),
    seconds: Math.round((performance.now() - from) / 1000),
    ok: problems.length === 0,
    problems,
  };
}

try {
  const report = await soak();
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.ok ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
