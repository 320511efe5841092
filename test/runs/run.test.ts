import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LossScale } from '../../dist/optim/loss-scale.js';
import { readState } from '../../dist/optim/state.js';
import { latestCheckpoint } from '../../dist/runs/checkpoint.js';
import { DivergedError, type StepRecord, Trainer, type TrainerOptions } from '../../dist/train/trainer.js';
import { SafetensorsFile } from '../../dist/weights/safetensors.js';
import { type ToyBatch, ToyNetwork, toyBatches, toyConfig, toyRun } from '../helpers/toy-run.js';

const fresh = () => join(mkdtempSync(join(tmpdir(), 'nlrcnn-')), 'run');
const lines = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);

/** What a run leaves that may not depend on where it was interrupted. */
async function outcome(out: string) {
  const metrics = lines(join(out, 'metrics.jsonl')).map(
    ({ seconds: _, images_per_second: __, ...line }) => line,
  );
  const { checkpoint } = (await latestCheckpoint(out))!;
  return { metrics, checkpoint };
}

test('a run leaves config, metrics, checkpoints, the model and a report; the loss falls', async (t) => {
  const out = fresh();
  const config = toyConfig({ steps: 60 });
  const seen: StepRecord[] = [];
  const result = await toyRun(out, config, { step: (record) => seen.push(record) });
  t.deepEqual(result, { step: 60, finished: true, best: undefined });
  t.deepEqual(readdirSync(out).sort(), [
    'checkpoint-00000056',
    'checkpoint-00000060',
    'config.json',
    'evaluations.jsonl',
    'metrics.jsonl',
    'model',
    'report.html',
  ]);
  t.deepEqual(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')), config);
  const metrics = lines(join(out, 'metrics.jsonl'));
  t.is(metrics.length, 60);
  t.deepEqual(Object.keys(metrics[0]!), [
    'step',
    'lr',
    'loss',
    'loss_v',
    'loss_w',
    'gradient_norm',
    'images',
    'seconds',
    'images_per_second',
  ]);
  t.is(metrics[0]!.step, 1);
  t.true(metrics[0]!.lr! < metrics[3]!.lr! && metrics[59]!.lr! < 1e-4);
  t.true(metrics[59]!.loss! < 0.6 * metrics[0]!.loss!, `${metrics[0]!.loss} -> ${metrics[59]!.loss}`);
  t.true(seen.every(({ loss, losses }) => loss === losses.loss_v! + losses.loss_w!));
  // The model is the moving average, the checkpoint has both.
  const { checkpoint } = (await latestCheckpoint(out))!;
  const model = await SafetensorsFile.open(join(out, 'model', 'weights.safetensors'));
  t.deepEqual(await model.read('v'), checkpoint.tensors.average!.get('v')!.data);
  t.notDeepEqual(await model.read('v'), checkpoint.tensors.weights!.get('v')!.data);
  t.is(model.metadata.step, '60');
  await model.close();
});

for (const optimizer of [
  { type: 'adamw', lr: 0.05, ema: 0.9, clip_norm: 1 },
  { type: 'sgd', lr: 0.05, nesterov: true, accumulate: 3 },
]) {
  test(`${optimizer.type}: stopped and resumed again and again, a run ends with the same bits`, async (t) => {
    const config = toyConfig({ optimizer });
    const [straight, broken] = [fresh(), fresh()];
    await toyRun(straight, config);
    for (const stop of [1, 4, 5, 11]) {
      const abort = new AbortController();
      const result = await toyRun(broken, config, {
        resume: stop > 1,
        signal: abort.signal,
        step: ({ step }) => step === stop && abort.abort(),
      });
      t.deepEqual(result, { step: stop, finished: false, best: undefined });
    }
    t.true((await toyRun(broken, config, { resume: true })).finished);
    t.deepEqual(await outcome(broken), await outcome(straight));
    // Nothing is left to do.
    t.true((await toyRun(broken, config, { resume: true })).finished);
    t.deepEqual(await outcome(broken), await outcome(straight));
  });
}

test('what a killed run logged behind its last checkpoint is forgotten and done again', async (t) => {
  const config = toyConfig({ steps: 10 });
  const [straight, killed] = [fresh(), fresh()];
  await toyRun(straight, config);
  await toyRun(killed, config);
  // As kill -9 during the ninth step leaves it: a checkpoint of step 8, half a line, unfinished folders.
  rmSync(join(killed, 'checkpoint-00000010'), { recursive: true });
  const text = readFileSync(join(killed, 'metrics.jsonl'), 'utf8').split('\n');
  writeFileSync(join(killed, 'metrics.jsonl'), `${text.slice(0, 9).join('\n')}\n${text[9]!.slice(0, 30)}`);
  await toyRun(killed, config, { resume: true });
  t.deepEqual(await outcome(killed), await outcome(straight));
});

test('--resume without a checkpoint begins at the beginning', async (t) => {
  const config = toyConfig({ steps: 5 });
  const [straight, other] = [fresh(), fresh()];
  await toyRun(straight, config);
  await toyRun(other, config, { resume: true });
  t.deepEqual(await outcome(other), await outcome(straight));
});

test('a folder that has a run is not overwritten, nor continued with another config', async (t) => {
  const out = fresh();
  const config = toyConfig({ steps: 2 });
  await toyRun(out, config);
  await t.throwsAsync(toyRun(out, config), { code: 'ERR_NLRCNN_IO', message: /--resume, or choose another/ });
  const other = toyConfig({ steps: 2, seed: 8, optimizer: { type: 'sgd' } });
  await t.throwsAsync(toyRun(out, other, { resume: true }), {
    code: 'ERR_NLRCNN_CONFIG',
    message: /optimizer\.type, .*seed differ/,
  });
  // Longer is no contradiction.
  t.is((await toyRun(out, toyConfig({ steps: 4 }), { resume: true })).step, 4);
});

test('a loss that is not finite ends the run, with its batch saved and the weights as they were', async (t) => {
  const out = fresh();
  const config = toyConfig();
  const error = await t.throwsAsync(toyRun(out, config, { nanAt: 6 }), {
    instanceOf: DivergedError,
    code: 'ERR_NLRCNN_DIVERGED',
    message:
      /loss_v is NaN at step 7, on sample-1\.png; the batch is in .*diverged-00000007, the last checkpoint is of step 4/,
  });
  t.is((error as DivergedError).step, 7);
  const saved = JSON.parse(readFileSync(join(out, 'diverged-00000007', 'batch.json'), 'utf8'));
  t.deepEqual(saved.samples, [{ id: 1, name: 'sample-1.png' }]);
  t.deepEqual(
    [saved.step, saved.seed, saved.position, saved.losses.loss_v],
    [7, 7, { epoch: 1, sample: 1 }, 'NaN'],
  );
  t.true(Number.isFinite(saved.losses.loss_w));
  t.is(lines(join(out, 'metrics.jsonl')).length, 6);
  t.is((await latestCheckpoint(out))!.checkpoint.step, 4);
});

test('evaluations: the best model is kept, a missed one is caught up on', async (t) => {
  const config = toyConfig({ steps: 9, evaluate_every: 3 });
  const scores: Record<number, number> = { 3: 0.25, 6: 0.5, 9: 0.5 };
  const evaluate = (out: string) => async (state: ReadonlyMap<string, unknown>) => {
    t.deepEqual([...state.keys()], ['v', 'w']);
    const { step } = lines(join(out, 'metrics.jsonl')).at(-1)!;
    return {
      metrics: { segm_AP: scores[step!]! },
      examples: [{ name: `1-${step}.png`, picture: Uint8Array.of(1) }],
    };
  };
  const straight = fresh();
  const told: [number, boolean][] = [];
  const result = await toyRun(straight, config, {
    evaluate: evaluate(straight),
    evaluation: ({ step }, best) => told.push([step, best]),
  });
  t.deepEqual(told, [
    [3, true],
    [6, true],
    [9, false],
  ]);
  t.is(result.best!.step, 6);
  const model = await SafetensorsFile.open(join(straight, 'model', 'weights.safetensors'));
  t.is(model.metadata.step, '6');
  await model.close();
  t.true(existsSync(join(straight, 'examples', '1-9.png')));
  t.regex(readFileSync(join(straight, 'report.html'), 'utf8'), /best segm_AP, step 6/);

  const broken = fresh();
  const abort = new AbortController();
  const stopped = await toyRun(broken, config, {
    signal: abort.signal,
    evaluate: async (_, signal) => {
      abort.abort();
      signal.throwIfAborted();
      return { metrics: {}, examples: [] };
    },
  });
  t.is(stopped.step, 3);
  t.false(
    existsSync(join(broken, 'evaluations.jsonl')) &&
      readFileSync(join(broken, 'evaluations.jsonl'), 'utf8') !== '',
  );
  await toyRun(broken, config, { resume: true, evaluate: evaluate(broken) });
  const scored = (out: string) =>
    lines(join(out, 'evaluations.jsonl')).map(({ seconds: _, ...line }) => line);
  t.deepEqual(scored(broken), scored(straight));
  t.deepEqual(await outcome(broken), await outcome(straight));
});

test('accumulated batches make the step that their mean gradient would make', async (t) => {
  // Plain gradient descent: what a step changes is lr times the gradient.
  const changes = async (accumulate: number, steps: number, from: number) => {
    const network = new ToyNetwork(new Map());
    const before = await readState(network.lazyState);
    const gradients: Float32Array[] = [];
    const trainer = new Trainer({
      network,
      optimizer: {
        step: async (all) => {
          gradients.push((await all.get(network.trainable[0]!.tensor)!.read()).data as Float32Array);
          return { norm: 1, applied: true };
        },
      },
      schedule: () => 1,
      batches: (start) => toyBatches(start),
      steps: from + steps,
      seed: 3,
      accumulate,
      start: { step: from, position: { epoch: 0, sample: from * accumulate } },
    });
    for await (const _ of trainer.run());
    t.deepEqual(await readState(network.lazyState), before);
    return gradients;
  };
  const single = await changes(1, 4, 0);
  const [pair, other] = await changes(2, 2, 0);
  for (const [i, value] of pair!.entries())
    t.true(Math.abs(value - (single[0]![i]! + single[1]![i]!) / 2) < 1e-6);
  for (const [i, value] of other!.entries())
    t.true(Math.abs(value - (single[2]![i]! + single[3]![i]!) / 2) < 1e-6);
});

test('a loss scale changes nothing but small gradients in float16, and is kept with the run', async (t) => {
  const config = toyConfig();
  const [plain, scaled, broken] = [fresh(), fresh(), fresh()];
  await toyRun(plain, config);
  // It grows every third step, by powers of two: exact in float32.
  const lossScale = () => new LossScale('cpu', { initial: 1024, growthInterval: 3 });
  await toyRun(scaled, config, { lossScale: lossScale() });
  const abort = new AbortController();
  await toyRun(broken, config, {
    lossScale: lossScale(),
    signal: abort.signal,
    step: ({ step }) => step === 5 && abort.abort(),
  });
  await toyRun(broken, config, { resume: true, lossScale: lossScale() });
  t.deepEqual(await outcome(broken), await outcome(scaled));
  const { metrics, checkpoint } = await outcome(scaled);
  t.deepEqual(metrics, (await outcome(plain)).metrics);
  t.is(checkpoint.tensors.optimizer!.get('loss_scale')!.data[0], 1024 * 2 ** 4);
});

test('steps that overflow are left out while the loss scale falls; without one, or for too long, they end the run', async (t) => {
  const run = async (overflows: number, own: Partial<TrainerOptions<ToyBatch>>) => {
    let left = overflows;
    const trainer = new Trainer({
      network: new ToyNetwork(new Map()),
      optimizer: {
        step: async () => ({ norm: Number.POSITIVE_INFINITY, applied: left-- <= 0 }),
      },
      schedule: () => 1,
      batches: (start) => toyBatches(start),
      steps: overflows + 2,
      seed: 3,
      ...own,
    });
    const found: boolean[] = [];
    for await (const { overflowed = false } of trainer.run()) found.push(overflowed);
    return found;
  };
  using lossScale = new LossScale();
  t.deepEqual(await run(3, { lossScale }), [true, true, true, false, false]);
  const diverged = { code: 'ERR_NLRCNN_DIVERGED', message: /a gradient is not finite at step/ };
  await t.throwsAsync(run(1, {}), diverged);
  await t.throwsAsync(run(31, { lossScale }), diverged);
});
