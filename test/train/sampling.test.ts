import test from 'ava';
import { cellAnchors, gridAnchors } from '../../dist/models/anchors.js';
import { RandomStream } from '../../dist/random.js';
import { encodeBoxes } from '../../dist/train/box-coder.js';
import { sampleBalanced } from '../../dist/train/sampler.js';
import { golden, loadCases, loadGoldens, relativeError } from '../helpers/goldens.js';
import { makeInput } from '../helpers/inputs.js';

const encoded = loadGoldens('box_encode');
for (const { name, inputs, attrs } of loadCases('box_encode')) {
  test(`box_encode ${name} agrees with torchvision`, (t) => {
    const [references, boxes] = [inputs.references!, inputs.boxes!].map((spec) => makeInput(spec).data);
    const out = encodeBoxes(references as Float32Array, boxes as Float32Array, attrs.weights);
    t.true(relativeError(out, golden(encoded, `${name}.out`).data) <= 1e-6);
  });
}

const anchors = loadGoldens('grid_anchors');
for (const { name, inputs, attrs } of loadCases('grid_anchors')) {
  test(`grid_anchors ${name} are torchvision's`, (t) => {
    const cells = cellAnchors(attrs.anchor_sizes, attrs.aspect_ratios);
    const levels = makeInput(inputs.levels!).data;
    const pairs = Array.from(
      { length: levels.length / 2 },
      (_, l) => [levels[2 * l]!, levels[2 * l + 1]!] as const,
    );
    const out = gridAnchors(cells, pairs, attrs.padded_size);
    t.deepEqual(Array.from(out), Array.from(golden(anchors, `${name}.out`).data));
  });
}

const options = { batchSizePerImage: 256, positiveFraction: 0.5 };

for (const [positives, negatives, wanted] of [
  [1000, 5000, [128, 128]],
  [128, 5000, [128, 128]],
  [30, 5000, [30, 226]],
  [30, 100, [30, 100]],
  [1000, 100, [128, 100]],
  [0, 5000, [0, 256]],
  [40, 0, [40, 0]],
  [0, 0, [0, 0]],
] as const) {
  test(`of ${positives} objects and ${negatives} backgrounds ${wanted} are sampled, each once`, (t) => {
    // The rest is neither.
    const matches = new Int32Array(positives + negatives + 500).fill(-2);
    const order = new RandomStream(1).permutation(matches.length);
    for (let i = 0; i < positives; i++) matches[order[i]!] = i % 9;
    for (let i = positives; i < positives + negatives; i++) matches[order[i]!] = -1;
    const { positive, negative } = sampleBalanced(matches, options, new RandomStream(5));
    t.deepEqual([positive.length, negative.length], [...wanted]);
    t.true(positive.every((i) => matches[i]! >= 0));
    t.true(negative.every((i) => matches[i] === -1));
    for (const rows of [positive, negative]) t.true(rows.every((row, i) => i === 0 || row > rows[i - 1]!));
  });
}

test('the fraction of positives is rounded down, as torchvision does', (t) => {
  const matches = Int32Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : -1));
  const sampling = { batchSizePerImage: 10, positiveFraction: 0.25 };
  const { positive, negative } = sampleBalanced(matches, sampling, new RandomStream(1));
  t.deepEqual([positive.length, negative.length], [2, 8]);
});

test('each is as likely; the same stream samples the same', (t) => {
  const matches = new Int32Array(40).fill(-1);
  const sampling = { batchSizePerImage: 10, positiveFraction: 0.5 };
  const counts = new Array<number>(40).fill(0);
  const rounds = 4000;
  for (let step = 0; step < rounds; step++) {
    const { negative } = sampleBalanced(matches, sampling, new RandomStream(3, step));
    for (const i of negative) counts[i]!++;
  }
  const expected = rounds / 4;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) / 0.75;
  t.true(chiSquare < 73, `chi-square ${chiSquare} of 39 degrees of freedom`);
  const draw = () => sampleBalanced(matches, sampling, new RandomStream(3, 7)).negative;
  t.deepEqual(draw(), draw());
});
