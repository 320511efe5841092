import test from 'ava';
import { augmentSample, drawAugmentation } from '../../dist/datasets/augment.js';
import { decodeSample, normalizePixels, shareSample } from '../../dist/datasets/decoded.js';
import { type AugmentOptions, openDataset, ops, Tensor } from '../../dist/index.js';
import { RandomStream } from '../../dist/random.js';
import { GOLDENS, optionsOf, unpack } from '../helpers/datasets.js';
import { golden, loadGoldens } from '../helpers/goldens.js';

const pixelsOf = loadGoldens('datasets');

for (const { name, dataset, sample, percentiles, augmentation, options, expected } of GOLDENS.augmentations) {
  test(`${name}: pixels, masks and boxes are those of numpy and torch`, async (t) => {
    const { samples } = GOLDENS.datasets[dataset]!;
    const opened = await openDataset(optionsOf(dataset));
    const decoded = await decodeSample(await opened.sample(sample), percentiles ? { percentiles } : 'none');
    const result = augmentSample(decoded, augmentation, options);
    const { shape, data } = golden(pixelsOf, name);
    t.deepEqual([result.height, result.width, result.channels], shape as [number, number, 1 | 3]);
    t.is(result.pixels.length, data.length);
    const worst = result.pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0);
    t.true(worst <= 2e-7, `off by ${worst}`);
    const [height, width] = augmentation.size;
    const masks = expected.masks.map((bits) => unpack(bits, height * width));
    t.deepEqual(Buffer.from(result.masks), Buffer.concat(masks));
    t.deepEqual(result.boxes, Float32Array.from(expected.boxes.flat()));
    const instances = expected.kept.map((g) => samples[sample]!.instances[g]!);
    t.deepEqual(
      [...result.labels],
      instances.map(({ label }) => label),
    );
    t.deepEqual(
      [...result.crowd],
      instances.map(({ crowd }) => Number(crowd)),
    );
    const shared = augmentSample(shareSample(decoded).sample, augmentation, options);
    t.deepEqual(shared, result);
  });
}

test('pixels are the values that op preprocess makes of the picture', async (t) => {
  for (const [dataset, sample] of [
    [0, 0],
    [0, 1],
    [1, 1],
  ] as const) {
    for (const normalization of ['none', { percentiles: [1, 99.8] }, { percentiles: [20, 20.5] }] as const) {
      const opened = await openDataset(optionsOf(dataset));
      const read = await opened.sample(sample);
      const decoded = await decodeSample(read, normalization as 'none');
      const { width, height, channels, pixels } = augmentSample(decoded, identity(read), {});
      t.deepEqual(pixels, normalizePixels(decoded));
      const raw = await decodeSample(read, 'none');
      const size = { outputSize: [height, width], paddedSize: [height, width] } as const;
      const plain = { ...size, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.25] };
      const before = Tensor.from(raw.pixels, [height, width, raw.channels]);
      const percentiles = normalization === 'none' ? undefined : normalization.percentiles;
      const expected = await ops.preprocess(before, { ...plain, percentiles }).read();
      const after = await ops.preprocess(Tensor.from(pixels, [height, width, channels]), plain).read();
      t.deepEqual(after.data, expected.data);
    }
  }
});

function identity({ width, height }: { width: number; height: number }) {
  return drawAugmentation({}, [height, width], new RandomStream(1));
}

test('what is drawn lies within the options and is the same for the same keys', (t) => {
  const options: AugmentOptions = {
    horizontalFlip: 0.5,
    verticalFlip: 0.25,
    rotate90: true,
    scale: [0.5, 2],
    crop: [30, 40],
    brightness: [0.8, 1.1],
  };
  const counts = { turns: [0, 0, 0, 0], flipX: 0, flipY: 0 };
  const scales: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const drawn = drawAugmentation(options, [50, 70], new RandomStream(3, 1, i));
    t.deepEqual(drawAugmentation(options, [50, 70], new RandomStream(3, 1, i)), drawn);
    counts.turns[drawn.turns]!++;
    counts.flipX += Number(drawn.flipX);
    counts.flipY += Number(drawn.flipY);
    const [height, width] = drawn.resized;
    scales.push((drawn.turns % 2 ? width : height) / 50);
    t.true(drawn.offset[0] >= 0 && drawn.offset[0] <= Math.max(0, height - 30));
    t.true(drawn.offset[1] >= 0 && drawn.offset[1] <= Math.max(0, width - 40));
    t.true(drawn.brightness >= 0.8 && drawn.brightness <= 1.1);
    t.is(drawn.contrast, 1);
    t.deepEqual(drawn.size, [30, 40]);
    // An option more changes nothing else.
    const { rotate90: _, ...fewer } = options;
    const { flipX, flipY, brightness } = drawAugmentation(fewer, [50, 70], new RandomStream(3, 1, i));
    t.deepEqual([flipX, flipY, brightness], [drawn.flipX, drawn.flipY, drawn.brightness]);
  }
  for (const turns of counts.turns) t.true(Math.abs(turns - 500) < 80, `${counts.turns}`);
  t.true(Math.abs(counts.flipX - 1000) < 100 && Math.abs(counts.flipY - 500) < 90);
  t.true(Math.min(...scales) < 0.52 && Math.max(...scales) > 1.98);
  t.true(Math.abs(scales.reduce((a, b) => a + b) / 2000 - 1.25) < 0.04);
});

test('random streams: sfc32 as published, neighbouring keys apart, permutations fair', (t) => {
  // PractRand's sfc32 from the state (1, 2, 3, counter 1), whose first 15 numbers are dropped.
  const stream = new RandomStream(1, 2, 3);
  const reference = sfc32(1n, 2n, 3n);
  for (let i = 0; i < 15; i++) reference();
  for (let i = 0; i < 100; i++) t.is(stream.uint32(), reference());
  const seen = new Set<number>();
  for (let seed = 0; seed < 10; seed++) {
    for (let epoch = 0; epoch < 10; epoch++) {
      for (let place = 0; place < 10; place++) seen.add(new RandomStream(seed, epoch, place).uint32());
    }
  }
  t.is(seen.size, 1000);
  const first = new Uint32Array(5);
  for (let seed = 0; seed < 5000; seed++) {
    const order = new RandomStream(seed).permutation(5);
    t.deepEqual([...order].sort(), [0, 1, 2, 3, 4]);
    first[order[0]!]!++;
  }
  t.true(
    first.every((count) => Math.abs(count - 1000) < 120),
    `${first}`,
  );
});

/** The same in arithmetic of another kind. */
function sfc32(a: bigint, b: bigint, c: bigint): () => number {
  let counter = 1n;
  const wrap = (value: bigint) => BigInt.asUintN(32, value);
  return () => {
    const sum = wrap(a + b + counter);
    counter = wrap(counter + 1n);
    a = b ^ (b >> 9n);
    b = wrap(c + (c << 3n));
    c = wrap((wrap(c << 21n) | (c >> 11n)) + sum);
    return Number(sum);
  };
}
