import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { loadGoldens } from './helpers/goldens.js';
import { hash32 } from './helpers/random.js';
import { nameSeed, seededWeights, type WeightTuning } from './helpers/seeded-weights.js';

const TEST_FOLDER = join(__dirname, '..', 'test');

interface ModelCase extends WeightTuning {
  name: string;
  seed: number;
  photo: string;
}

interface StagesFile {
  pixels: number;
  stages: Record<string, { shape: number[]; stride: number; max_abs: number; l2: number }>;
  weights: Record<string, { shape: number[]; digest: number; first: number[] }>;
}

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(TEST_FOLDER, ...path), 'utf8'));
const CASES = readJson('cases', 'models.json') as ModelCase[];
const stagesOf = (name: string) => readJson('goldens', 'models', `${name}.stages.json`) as StagesFile;

/** One uint32 of an array's bits; the same as `digest` of goldens/prng.py. */
function digest(data: Float32Array | Uint8Array): number {
  const bits =
    data instanceof Float32Array ? new Uint32Array(data.buffer, data.byteOffset, data.length) : data;
  let out = 0;
  for (let i = 0; i < bits.length; i++) out ^= hash32((bits[i]! + i) | 0);
  return out >>> 0;
}

for (const modelCase of CASES) {
  test(`${modelCase.name}: seeded weights equal those that torchvision ran with`, (t) => {
    const checked = Object.entries(stagesOf(modelCase.name).weights);
    t.true(checked.length >= 10);
    const shapes = new Map(checked.map(([name, { shape }]) => [name, shape]));
    const made = seededWeights(shapes, modelCase.seed, modelCase);
    for (const [name, expected] of checked) {
      const tensor = made.get(name)!;
      t.deepEqual(tensor.shape, expected.shape);
      t.deepEqual(Array.from(tensor.data.subarray(0, 4)), expected.first, name);
      t.is(digest(tensor.data), expected.digest, name);
    }
  });

  test(`${modelCase.name}: the photo decodes to the pixels that torchvision saw`, async (t) => {
    const pixels = await sharp(join(TEST_FOLDER, 'fixtures', 'photos', modelCase.photo))
      .raw()
      .toBuffer();
    t.is(digest(pixels), stagesOf(modelCase.name).pixels);
  });

  test(`${modelCase.name}: every stage has its samples`, (t) => {
    const { stages } = stagesOf(modelCase.name);
    const goldens = loadGoldens(`models/${modelCase.name}`);
    t.deepEqual(
      Object.keys(stages)
        .map((stage) => `${stage}.samples`)
        .sort(),
      [...goldens.keys()].sort(),
    );
    for (const [stage, { shape, stride, max_abs }] of Object.entries(stages)) {
      const { data } = goldens.get(`${stage}.samples`)!;
      t.is(data.length, Math.ceil(shape.reduce((a, b) => a * b, 1) / stride), stage);
      t.true(max_abs > 0 && (data as Float32Array).every((v) => Math.abs(v) <= max_abs), stage);
    }
  });
}

test('the seed of a tensor depends on its name and on the seed', (t) => {
  t.not(nameSeed('a.weight', 1), nameSeed('a.weight', 2));
  t.not(nameSeed('a.weight', 1), nameSeed('b.weight', 1));
});

test('a gain of the case overrides the gain of the recipe', (t) => {
  const shapes = new Map([['rpn.head.cls_logits.weight', [3, 8, 1, 1]]]);
  const largest = (gains?: Record<string, number>) =>
    Math.max(...seededWeights(shapes, 1, gains ? { gains } : {}).get('rpn.head.cls_logits.weight')!.data);
  t.true(Math.abs(largest({ 'rpn.head.': 6 }) / largest() - 10) < 1e-5);
});
