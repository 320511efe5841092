import { performance } from 'node:perf_hooks';
import { Tape } from '../autograd/tape.js';
import type { DataPosition } from '../datasets/loader.js';
import type { Device } from '../device.js';
import { eager, type OpContext } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { add } from '../ops/add.js';
import type { LossScale } from '../optim/loss-scale.js';
import type { NamedTensor, Optimizer } from '../optim/optimizers.js';
import type { Schedule } from '../optim/schedules.js';
import type { LazyState } from '../optim/state.js';
import { Tensor } from '../tensor.js';

/** What a trainer must know of a batch; DataLoader's batches are of this kind. */
export interface TrainingBatch {
  readonly samples: readonly { readonly id: number | string; readonly name: string }[];
  readonly position: DataPosition;
  /** Where the batch behind this one begins. */
  readonly next: DataPosition;
}

/** Something with weights and a loss, such as TrainingNetwork. */
export interface TrainableNetwork<B> {
  readonly device: Device;
  /** What the optimiser changes. */
  readonly trainable: readonly NamedTensor[];
  /**
   * Named losses, float32 [1] each, recorded on the tape, which watches `trainable`. What is random follows from `seed` and
   * `step` alone.
   */
  losses(
    tape: Tape,
    batch: B,
    options: { seed: number; step: number },
  ): Promise<Readonly<Record<string, Tensor | undefined>>>;
  /** The whole state dict, also what does not learn. */
  readonly lazyState: LazyState;
}

export interface TrainerOptions<B extends TrainingBatch> {
  network: TrainableNetwork<B>;
  optimizer: Pick<Optimizer, 'step'>;
  schedule: Schedule;
  /** Batches from a position on, without end. */
  batches: (start: DataPosition) => AsyncIterable<B>;
  steps: number;
  seed: number;
  /** Batches whose mean gradient makes one step. Default: 1 */
  accumulate?: number;
  /** Runs the network's ops, in the precision that they are to have. Default: float32 */
  context?: OpContext;
  /** For float16: the same as the optimiser's. */
  lossScale?: LossScale | undefined;
  /** Where to begin: `step` and `position` of a trainer before. */
  start?: { step: number; position: DataPosition };
}

/** One step, as metrics.jsonl has it. */
export interface StepRecord {
  /** Steps done, this one included. */
  step: number;
  lr: number;
  /** Sum of the losses. */
  loss: number;
  losses: Record<string, number>;
  gradient_norm: number;
  images: number;
  /** Since the step before was done, waiting for data included. */
  seconds: number;
  /** Present where a gradient overflowed in float16: then no weight was changed. */
  overflowed?: true;
}

/** Steps in a row that may overflow before that counts as divergence; the loss scale is halved with each. */
const MOST_OVERFLOWS = 30;

/** A loss or gradient that is no finite number; `batch` is what it came from. */
export class DivergedError extends NlrcnnError {
  constructor(
    message: string,
    readonly step: number,
    readonly losses: Record<string, number>,
    readonly batch: TrainingBatch,
  ) {
    super('ERR_NLRCNN_DIVERGED', message);
  }
}

/**
 * Trains a network step by step. All that is random follows from the seed, the step and the data position, so that a trainer
 * that starts with the weights, optimiser state, step and position of another goes on exactly as that one would have.
 */
export class Trainer<B extends TrainingBatch> {
  readonly #options: TrainerOptions<B>;
  #step: number;
  #position: DataPosition;

  constructor(options: TrainerOptions<B>) {
    this.#options = options;
    this.#step = options.start?.step ?? 0;
    this.#position = options.start?.position ?? { epoch: 0, sample: 0 };
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Where the next batch begins. */
  get position(): DataPosition {
    return this.#position;
  }

  /**
   * Yields after each step, when its weights are in place; nothing runs meanwhile.
   * @throws DivergedError before weights are changed; errors of data and device as they come.
   */
  async *run(): AsyncGenerator<StepRecord, void, undefined> {
    const { batches, schedule, optimizer, steps, accumulate = 1 } = this.#options;
    if (this.#step >= steps) return;
    const { lossScale } = this.#options;
    let overflows = 0;
    const iterator = batches(this.#position)[Symbol.asyncIterator]();
    const sums = new GradientSums();
    try {
      for (let from = performance.now(); this.#step < steps; ) {
        const parts: Record<string, number>[] = [];
        const used: B[] = [];
        while (parts.length < accumulate) {
          const { value: batch, done } = await iterator.next();
          if (done) throw new NlrcnnError('ERR_NLRCNN_DATASET', 'Expected batches without end');
          parts.push(await this.#forwardBackward(batch, this.#step * accumulate + parts.length, sums));
          used.push(batch);
        }
        const lr = schedule(this.#step);
        const { norm, applied } = await optimizer.step(sums.all, lr);
        const losses = mean(parts);
        overflows = applied ? 0 : overflows + 1;
        if (overflows > (lossScale ? MOST_OVERFLOWS : 0)) {
          throw this.#diverged('a gradient', losses, used.at(-1)!);
        }
        sums.clear();
        this.#step++;
        this.#position = used.at(-1)!.next;
        const now = performance.now();
        const record: StepRecord = {
          step: this.#step,
          lr,
          loss: Object.values(losses).reduce((a, b) => a + b, 0),
          losses,
          gradient_norm: norm,
          images: used.reduce((sum, { samples }) => sum + samples.length, 0),
          seconds: (now - from) / 1000,
          ...(!applied && { overflowed: true }),
        };
        yield record;
        from = performance.now();
      }
    } finally {
      sums.clear();
      await iterator.return?.();
    }
  }

  /** Adds the gradients of a batch to `sums`. */
  async #forwardBackward(batch: B, step: number, sums: GradientSums): Promise<Record<string, number>> {
    const { network, seed, context = eager, lossScale, accumulate = 1 } = this.#options;
    using tape = new Tape(context);
    using upstream =
      lossScale?.upstream(1 / accumulate) ??
      Tensor.from(Float32Array.of(1 / accumulate), [1], network.device);
    const named = Object.entries(await network.losses(tape, batch, { seed, step })).filter(
      (entry): entry is [string, Tensor] => entry[1] !== undefined,
    );
    const tensors = named.map(([, loss]) => tape.keep(loss));
    try {
      sums.add(tape.backward(tensors, upstream));
      const values = await Promise.all(tensors.map((loss) => loss.read()));
      const losses = Object.fromEntries(named.map(([name], i) => [name, Number(values[i]!.data[0])]));
      const bad = Object.keys(losses).find((name) => !Number.isFinite(losses[name]));
      if (bad !== undefined) throw this.#diverged(bad, losses, batch);
      return losses;
    } finally {
      for (const loss of tensors) loss.dispose();
    }
  }

  #diverged(what: string, losses: Record<string, number>, batch: B): DivergedError {
    const names = batch.samples.map(({ name }) => name).join(', ');
    const value = Object.hasOwn(losses, what) ? `${what} is ${losses[what]}` : `${what} is not finite`;
    return new DivergedError(
      `${value} at step ${this.#step + 1}, on ${names}`,
      this.#step + 1,
      losses,
      batch,
    );
  }
}

/** Gradients summed over batches. */
class GradientSums {
  readonly all = new Map<Tensor, Tensor>();

  /** Takes over `gradients`. */
  add(gradients: ReadonlyMap<Tensor, Tensor>): void {
    const before = new Map(this.all);
    for (const [parameter, gradient] of gradients) {
      const sum = before.get(parameter);
      this.all.set(parameter, sum ? add(eager, sum, gradient) : gradient);
    }
    // Several parameters can share one gradient.
    const kept = new Set(this.all.values());
    for (const tensor of [...before.values(), ...gradients.values()]) if (!kept.has(tensor)) tensor.dispose();
  }

  clear(): void {
    for (const gradient of this.all.values()) gradient.dispose();
    this.all.clear();
  }
}

function mean(parts: readonly Record<string, number>[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) out[name] = (out[name] ?? 0) + value / parts.length;
  }
  return out;
}
