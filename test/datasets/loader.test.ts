import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  type AugmentOptions,
  type Batch,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  openDataset,
  rleFromBbox,
  type Sample,
} from '../../dist/index.js';
import { fixture, optionsOf } from '../helpers/datasets.js';
import { runScript } from '../helpers/run-node.js';

const AUGMENT: AugmentOptions = {
  horizontalFlip: 0.5,
  verticalFlip: 0.5,
  rotate90: true,
  scale: [0.7, 1.5],
  crop: [16, 19],
  brightness: [0.7, 1.3],
  contrast: [0.7, 1.3],
};

/** A sample whose picture and mask tell its index. */
function synthetic(index: number): Sample {
  const [width, height] = [20 + (index % 7), 30 - (index % 7)];
  const data = Uint8Array.from({ length: width * height }, (_, i) => (i * 7 + index * 31) % 256);
  const mask = rleFromBbox([3, 4, 8, 9 + (index % 7)], [height, width]);
  const instances: Sample['instances'] = [
    { label: 1, box: [3, 4, 11, 13 + (index % 7)], mask, crowd: false, area: 1 },
  ];
  return {
    id: index,
    name: `${index}`,
    image: { data, width, height, channels: 1 },
    width,
    height,
    instances,
  };
}

/** A user's own data set, without a reader. */
class Own implements Dataset {
  readonly classNames = ['background', 'thing'];
  readonly asked: number[] = [];

  constructor(
    readonly length: number,
    readonly change: (sample: Sample) => Sample = (sample) => sample,
  ) {}

  async sample(index: number): Promise<Sample> {
    this.asked.push(index);
    return this.change(synthetic(index));
  }
}

async function batches(dataset: Dataset, options: DataLoaderOptions, count = Infinity): Promise<Batch[]> {
  const loader = new DataLoader(dataset, options);
  const out: Batch[] = [];
  try {
    for await (const batch of loader) {
      out.push(batch);
      if (out.length === count) break;
    }
  } finally {
    await loader.close();
  }
  return out;
}

const ids = (all: Batch[]) => all.flatMap(({ samples }) => samples.map(({ id }) => id));

test('batches are the same with 0, 1 and 3 workers, any prefetch and cache', async (t) => {
  const sets = [await openDataset(optionsOf(1)), await openDataset(optionsOf(0)), new Own(5)];
  for (const dataset of sets) {
    const options = { batchSize: 3, seed: 11, augment: AUGMENT };
    const expected = await batches(dataset, { ...options, workers: 0, cache: 0 }, 6);
    for (const [workers, prefetch, cache] of [
      [0, 0, 1e9],
      [1, 2, 0],
      [1, 0, 3000],
      [3, 5, 1e9],
    ] as const) {
      t.deepEqual(await batches(dataset, { ...options, workers, prefetch, cache }, 6), expected);
    }
    const other = await batches(dataset, { ...options, workers: 0, seed: 12 }, 6);
    t.notDeepEqual(other, expected);
  }
});

test('a run continued at any step sees the same batches', async (t) => {
  const dataset = new Own(7);
  const options = { batchSize: 3, seed: 5, augment: AUGMENT, workers: 0 };
  const whole = await batches(dataset, options, 8);
  for (let k = 0; k < 7; k++) {
    const saved = JSON.parse(JSON.stringify(whole[k]!.next));
    const rest = await batches(dataset, { ...options, start: saved, workers: k === 3 ? 2 : 0 }, 7 - k);
    t.deepEqual(rest, whole.slice(k + 1));
  }
  t.deepEqual(whole[2]!.position, { epoch: 0, sample: 6 });
  t.deepEqual(whole[2]!.next, { epoch: 1, sample: 2 });
});

test('each epoch has each sample once, in an order of its own; batches are full', async (t) => {
  const options = { batchSize: 4, seed: 1, workers: 0 };
  const all = await batches(new Own(6), { ...options, epochs: 3 });
  t.deepEqual(
    all.map(({ samples }) => samples.length),
    [4, 4, 4, 4, 2],
  );
  const order = ids(all);
  const epochs = [0, 6, 12].map((from) => order.slice(from, from + 6));
  for (const epoch of epochs) t.deepEqual([...epoch].sort(), [0, 1, 2, 3, 4, 5]);
  t.is(new Set(epochs.map(String)).size, 3);
  t.deepEqual(all.at(-1)!.next, { epoch: 3, sample: 0 });
  const plain = await batches(new Own(3), { ...options, shuffle: false, epochs: 2 });
  t.deepEqual(ids(plain), [0, 1, 2, 0, 1, 2]);
});

test('a loader can be iterated again, from its start', async (t) => {
  const loader = new DataLoader(new Own(4), { batchSize: 2, workers: 1, epochs: 1, augment: AUGMENT });
  const runs: Batch[][] = [[], []];
  for (const run of runs) for await (const batch of loader) run.push(batch);
  t.is(runs[0]!.length, 2);
  t.deepEqual(runs[0], runs[1]);
  await loader.close();
});

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
test.after.always(() => rmSync(folder, { recursive: true }));

test('a broken picture or annotation fails with its name when its batch is due', async (t) => {
  const data = join(folder, 'broken');
  cpSync(fixture('labelmaps'), data, { recursive: true });
  writeFileSync(join(data, 'images', 'c.png'), 'no picture');
  const dataset = await openDataset({ format: 'labelmaps', data, split: 'train' });
  for (const workers of [0, 2]) {
    const options = { batchSize: 1, shuffle: false, workers, prefetch: 4 };
    const loader = new DataLoader(dataset, options)[Symbol.asyncIterator]();
    t.is((await loader.next()).value!.samples[0]!.id, 'a');
    await t.throwsAsync(loader.next(), { code: 'ERR_NLRCNN_IMAGE', message: /^Sample 1: .*images\/c\.png/ });
    t.true((await loader.next()).done);
    const fixed = new Own(2, (sample) => ({ ...sample, width: 99 }));
    const wrong = batches(fixed, { batchSize: 1, workers }, 1);
    await t.throwsAsync(wrong, { code: 'ERR_NLRCNN_DATASET', message: /Expected \d to be 99 × 30/ });
  }
});

test('skipped samples are replaced, the same way whatever the workers', async (t) => {
  const broken = (sample: Sample): Sample => {
    if (sample.id === 2) throw new Error('lost 2');
    const [instance] = sample.instances;
    if (sample.id === 4)
      return { ...sample, instances: [{ ...instance!, mask: { size: [9, 9], counts: '0' } }] };
    return sample;
  };
  const options = { batchSize: 3, seed: 3, augment: AUGMENT, onError: 'skip' } as const;
  const runs: [Batch[], string[]][] = [];
  for (const workers of [0, 3]) {
    const skipped: string[] = [];
    const onSkip = (error: Error, index: number) => skipped.push(`${index} ${error.message}`);
    const all = await batches(new Own(6, broken), { ...options, workers, onSkip }, 8);
    t.true(all.every(({ samples }) => samples.length === 3));
    t.false(ids(all).includes(2) || ids(all).includes(4));
    runs.push([all, skipped.sort()]);
  }
  t.deepEqual(runs[0], runs[1]);
  t.is(runs[0]![1].length, 2);
  t.regex(runs[0]![1][0]!, /^2 Sample 2: lost 2$/);
  t.regex(runs[0]![1][1]!, /^4 Sample 4: Expected a mask of size \[26, 24\] .* instance 0 of 4 /);
  const rest = await batches(
    new Own(6, broken),
    { ...options, start: runs[0]![0][4]!.next, onSkip: () => {} },
    3,
  );
  t.deepEqual(rest, runs[0]![0].slice(5));
});

test('a data set of which nothing can be read ends', async (t) => {
  const lost = new Own(3, () => {
    throw new Error('lost');
  });
  const run = batches(lost, { batchSize: 1, workers: 0, onError: 'skip', onSkip: () => {} }, 1);
  await t.throwsAsync(run, { code: 'ERR_NLRCNN_DATASET', message: /32 samples in a row .*: lost/ });
});

test('a reader of one’s own runs in the workers', async (t) => {
  const module = join(folder, 'reader.cjs');
  writeFileSync(
    module,
    `const { isMainThread } = require('node:worker_threads');
     exports.readSample = async ({ index, exit }) => {
       if (exit) process.exit(3);
       return { id: String(isMainThread), name: 'x', image: { data: new Uint8Array(6).fill(index), width: 3, height: 2, channels: 1 },
         width: 3, height: 2, instances: [] };
     };`,
  );
  const own = (record: (index: number) => unknown, file = module): Dataset => ({
    classNames: ['background'],
    length: 4,
    sample: () => Promise.reject(new Error('not asked')),
    reader: { module: file, record },
  });
  const options = { batchSize: 2, shuffle: false };
  for (const workers of [0, 1]) {
    const all = await batches(
      own((index) => ({ index: 51 * index })),
      { ...options, workers },
      2,
    );
    t.deepEqual(ids(all), new Array(4).fill(String(workers === 0)));
    t.deepEqual(
      all.flatMap(({ samples }) => samples.map(({ pixels }) => pixels[0])),
      [0, Math.fround(0.2), Math.fround(0.4), Math.fround(0.6)],
    );
    const missing = batches(
      own(() => 0, `${module}.gone`),
      { ...options, workers, onError: 'skip' },
    );
    await t.throwsAsync(missing, { code: 'ERR_NLRCNN_INTERNAL', message: /reader\.cjs\.gone/ });
  }
  const crash = batches(
    own((index) => ({ index, exit: true })),
    { ...options, workers: 2, onError: 'skip' },
  );
  await t.throwsAsync(crash, { code: 'ERR_NLRCNN_INTERNAL', message: /worker thread .* stopped/ });
  const unsendable = batches(
    own(() => () => 1),
    { ...options, workers: 1, onError: 'skip' },
  );
  await t.throwsAsync(unsendable, { code: 'ERR_NLRCNN_DATASET', message: /cannot be sent to a worker/ });
});

test('no more is read ahead than prefetch says', async (t) => {
  const dataset = new Own(50);
  const loader = new DataLoader(dataset, { batchSize: 2, workers: 1, prefetch: 3 });
  const iterator = loader[Symbol.asyncIterator]();
  for (let step = 1; step <= 4; step++) {
    await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.is(dataset.asked.length, 2 * (step + 3));
  }
  await loader.close();
});

test('abort and close end a wait', async (t) => {
  for (const workers of [0, 2]) {
    const controller = new AbortController();
    const dataset = new Own(9, (sample) => {
      if (dataset.asked.length > 4) controller.abort();
      return sample;
    });
    const run = batches(dataset, { batchSize: 2, workers, prefetch: 0, signal: controller.signal });
    await t.throwsAsync(run, { code: 'ERR_NLRCNN_CANCELLED' });
    const loader = new DataLoader(new Own(3), { batchSize: 1, workers });
    const iterator = loader[Symbol.asyncIterator]();
    await iterator.next();
    const wait = iterator.next();
    await Promise.all([t.throwsAsync(wait, { code: 'ERR_NLRCNN_CANCELLED' }), loader.close()]);
    await t.throwsAsync(loader[Symbol.asyncIterator]().next(), { code: 'ERR_NLRCNN_CANCELLED' });
  }
});

const SCRIPT = `
  const { join } = require('node:path');
  const start = async (more) => new nlrcnn.DataLoader(
    await nlrcnn.openDataset({ format: 'cityscapes', data: ${JSON.stringify(fixture('cityscapes'))} }),
    { batchSize: 4, workers: 2, prefetch: 8, augment: { crop: [200, 200] }, ...more });`;

test('no worker keeps a process: left, aborted, closed, or in the middle of its work', async (t) => {
  for (const [body, code] of [
    ['for await (const batch of await start()) break;', 0],
    ['await (await start())[Symbol.asyncIterator]().next();', 0],
    ['const loader = await start(); for await (const batch of loader) break; await loader.close();', 0],
    [
      `const controller = new AbortController(); let n = 0;
      for await (const batch of await start({ signal: controller.signal })) if (++n === 5) controller.abort();`,
      9,
    ],
    ['for await (const batch of await start()) setTimeout(() => process.exit(7), 20);', 7],
    ['for await (const batch of await start()) throw new Error("stop");', 9],
  ] as const) {
    const script = `${SCRIPT} (async () => { ${body} })().catch(() => { process.exitCode = 9; });`;
    const { code: actual, stderr } = await runScript(script);
    t.is(actual, code, `${body}\n${stderr}`);
    t.is(stderr, '');
  }
});

test('options that cannot be used are refused', (t) => {
  const wrong: [Partial<DataLoaderOptions>, RegExp][] = [
    [{ batchSize: 0 }, /from 1 to 2\^32 - 1 for batchSize/],
    [{ seed: -1 }, /for seed/],
    [{ workers: 1.5 }, /for workers/],
    [{ start: { epoch: 0, sample: 4 } }, /an epoch of 4 samples for start\.sample/],
    [{ epochs: 0 }, /for epochs/],
    [{ cache: Number.NaN }, /for cache/],
    [{ onError: 'ignore' as 'skip' }, /fail or skip for onError/],
    [{ augment: { scale: [2, 1] } }, /two rising positive numbers for augment\.scale but received \[2,1\]/],
    [{ augment: { crop: [8, 0] } }, /for augment\.crop/],
    [{ augment: { horizontalFlip: 2 } }, /a probability for augment\.horizontalFlip/],
    [{ augment: { flip: 1 } as AugmentOptions }, /one of horizontalFlip, .* but received "flip"/],
  ];
  for (const [options, message] of wrong) {
    const make = () => new DataLoader(new Own(4), { batchSize: 2, ...options });
    t.throws(make, { code: 'ERR_NLRCNN_ARGUMENT', message });
  }
  t.throws(() => new DataLoader(new Own(0), { batchSize: 1 }), { message: /at least one sample/ });
});
