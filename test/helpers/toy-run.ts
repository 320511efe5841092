import { setTimeout } from 'node:timers/promises';
import type { DataPosition } from '../../dist/datasets/loader.js';
import { addBroadcast } from '../../dist/ops/add_broadcast.js';
import { smoothL1 } from '../../dist/ops/smooth_l1.js';
import type { LossScale } from '../../dist/optim/loss-scale.js';
import { lazily } from '../../dist/optim/state.js';
import { RandomStream } from '../../dist/random.js';
import { parseTrainingConfig, type TrainingConfig } from '../../dist/runs/config.js';
import { type RunObserver, type RunParts, type RunResult, runTraining } from '../../dist/runs/run.js';
import { RunFolder } from '../../dist/runs/run-folder.js';
import { makeAverage, makeOptimizer, makeSchedule } from '../../dist/runs/setup.js';
import { Tensor } from '../../dist/tensor.js';
import type { TrainableNetwork } from '../../dist/train/trainer.js';

/** Samples of an epoch. */
const SAMPLES = 5;
const SHAPE = [3, 2, 2, 2];
const COUNT = 24;

export interface ToyBatch {
  samples: { id: number; name: string }[];
  position: DataPosition;
  next: DataPosition;
  x: Float32Array;
}

/** Numbers that follow from the epoch and the place in it; one is NaN in the batch at `nanAt`. */
export async function* toyBatches(
  start: DataPosition,
  nanAt = -1,
): AsyncGenerator<ToyBatch, void, undefined> {
  for (let position = start; ; ) {
    const { epoch, sample } = position;
    const next = sample + 1 < SAMPLES ? { epoch, sample: sample + 1 } : { epoch: epoch + 1, sample: 0 };
    const stream = new RandomStream(epoch, sample);
    const x = Float32Array.from({ length: COUNT }, () => 2 * stream.next() - 1);
    if (epoch * SAMPLES + sample === nanAt) x[3] = Number.NaN;
    await setTimeout(0);
    yield { samples: [{ id: sample, name: `sample-${sample}.png` }], position, next, x };
    position = next;
  }
}

/** Two small parameters, real ops: x + v at each place is drawn to its noisy target, and w to v's mean. */
export class ToyNetwork implements TrainableNetwork<ToyBatch> {
  readonly device = 'cpu';
  readonly trainable: { name: string; tensor: Tensor }[];

  constructor(state: ReadonlyMap<string, { data: Float32Array }>) {
    this.trainable = ['v', 'w'].map((name) => ({
      name,
      tensor: Tensor.from(state.get(name)?.data ?? Float32Array.of(4, -3, 2, -1, 0.5, 0.25), [3, 2]),
    }));
  }

  async losses(...[tape, { x }, { seed, step }]: Parameters<TrainableNetwork<ToyBatch>['losses']>) {
    const [v, w] = this.trainable.map(({ tensor }) => tensor) as [Tensor, Tensor];
    tape.watch(v, w);
    const noise = new RandomStream(seed, step);
    const target = Float32Array.from({ length: COUNT }, () => noise.next());
    const sum = addBroadcast(tape, tape.own(Tensor.from(x, SHAPE)), v);
    const goal = tape.own(Tensor.from(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]));
    return {
      loss_v: smoothL1(tape, sum, tape.own(Tensor.from(target, SHAPE))).loss,
      loss_w: smoothL1(tape, w, goal).loss,
      loss_absent: undefined,
    };
  }

  get lazyState() {
    return new Map(this.trainable.map(({ name, tensor }) => [name, lazily(tensor)]));
  }
}

export const toyConfig = (own: Record<string, unknown> = {}): TrainingConfig =>
  parseTrainingConfig({
    data: { format: 'coco', dir: 'toy' },
    optimizer: { type: 'adamw', lr: 0.05, ema: 0.9, clip_norm: 1 },
    schedule: { type: 'cosine', warmup_steps: 3 },
    steps: 12,
    checkpoint_every: 4,
    seed: 7,
    ...own,
  });

export interface ToyOptions extends RunObserver {
  resume?: boolean;
  signal?: AbortSignal;
  nanAt?: number;
  evaluate?: RunParts<ToyBatch>['evaluate'];
  lossScale?: LossScale;
}

/** A run of the toy network in a folder, through everything but data sets and Mask R-CNN. */
export async function toyRun(
  out: string,
  config: TrainingConfig,
  options: ToyOptions = {},
): Promise<RunResult> {
  const { resume = false, signal = new AbortController().signal, nanAt, evaluate, lossScale } = options;
  const folder = await RunFolder.open(out, config, resume);
  try {
    const tensors = folder.found?.tensors;
    const network = new ToyNetwork(tensors?.weights ?? new Map());
    using optimizer = makeOptimizer(config.optimizer, network.trainable, tensors?.optimizer, lossScale);
    using average = makeAverage(config.optimizer, network.trainable, tensors?.average);
    const parts: RunParts<ToyBatch> = {
      network,
      optimizer,
      average,
      schedule: makeSchedule(config),
      batches: (start) => toyBatches(start, nanAt),
      evaluate,
      lossScale,
    };
    return await runTraining(parts, folder, signal, options);
  } finally {
    await folder.close();
  }
}
