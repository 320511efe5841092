import { join } from 'node:path';
import { isNlrcnnError, NlrcnnError } from '../errors.js';
import { type UnfinishedFolder, writeWholeFolder } from '../files/write-whole.js';
import type { HostParameter } from '../layers/parameters.js';
import type { Optimizer } from '../optim/optimizers.js';
import { type LazyParameter, type LazyState, readState } from '../optim/state.js';
import type { WeightAverage } from '../optim/weight-average.js';
import {
  DivergedError,
  type StepRecord,
  type TrainableNetwork,
  Trainer,
  type TrainerOptions,
  type TrainingBatch,
} from '../train/trainer.js';
import type { TensorSets } from './checkpoint.js';
import { trainingReport } from './report.js';
import type { EvaluationRecord, RunFolder } from './run-folder.js';

type State = Map<string, HostParameter>;

/** What an evaluation gives back. */
export interface Evaluated {
  metrics: Record<string, number>;
  /** PNGs for the report. */
  examples: { name: string; picture: Uint8Array }[];
}

/** What a run is made of. */
export interface RunParts<B extends TrainingBatch> {
  network: TrainableNetwork<B>;
  optimizer: Pick<Optimizer, 'step' | 'lazyState'>;
  /** What is evaluated and kept instead of the weights. */
  average?: WeightAverage | undefined;
  schedule: TrainerOptions<B>['schedule'];
  /** See TrainerOptions. */
  context?: TrainerOptions<B>['context'];
  lossScale?: TrainerOptions<B>['lossScale'];
  batches: TrainerOptions<B>['batches'];
  /** Scores a state dict; absent: the last weights are the model. */
  evaluate?: ((state: State, signal: AbortSignal) => Promise<Evaluated>) | undefined;
  /** Writes what a batch was made of, for looking into it later. */
  saveBatch?: ((folder: UnfinishedFolder, batch: B) => Promise<void>) | undefined;
}

/** Told what happens; none of it is waited for. */
export interface RunObserver {
  step?(record: StepRecord): void;
  evaluating?(step: number): void;
  evaluation?(record: EvaluationRecord, best: boolean): void;
  checkpoint?(path: string): void;
}

export interface RunResult {
  /** Steps done. */
  step: number;
  finished: boolean;
  /** The evaluation whose model was kept. */
  best: EvaluationRecord | undefined;
}

/** Seconds between reports that nothing but steps makes due. */
const REPORT_EVERY = 60;

/**
 * Trains until all steps are done or `signal` is aborted: then a checkpoint is written and the run can go on later as if it
 * had not been stopped.
 * @throws DivergedError after the batch was saved to `FOLDER/diverged-STEP/`, where it could be; ERR_NLRCNN_IO; errors of data and device.
 */
export async function runTraining<B extends TrainingBatch>(
  parts: RunParts<B>,
  folder: RunFolder,
  signal: AbortSignal,
  observer: RunObserver = {},
): Promise<RunResult> {
  const run = new Run(parts, folder, signal, observer);
  return run.go();
}

class Run<B extends TrainingBatch> {
  readonly #parts: RunParts<B>;
  readonly #folder: RunFolder;
  readonly #signal: AbortSignal;
  readonly #observer: RunObserver;
  readonly #trainer: Trainer<B>;
  /** Step of the newest checkpoint. */
  #saved: number;
  #reported = performance.now();

  constructor(parts: RunParts<B>, folder: RunFolder, signal: AbortSignal, observer: RunObserver) {
    const { config, found } = folder;
    const { network, optimizer, schedule, batches, context, lossScale } = parts;
    this.#parts = parts;
    this.#folder = folder;
    this.#signal = signal;
    this.#observer = observer;
    this.#saved = found?.step ?? 0;
    this.#trainer = new Trainer({
      network,
      optimizer,
      schedule,
      batches,
      ...(context && { context }),
      lossScale,
      steps: config.steps,
      seed: config.seed,
      accumulate: config.optimizer.accumulate,
      ...(found && { start: { step: found.step, position: found.state.position } }),
    });
  }

  async go(): Promise<RunResult> {
    const { config, evaluations } = this.#folder;
    const trainer = this.#trainer;
    // A run that was killed during an evaluation catches up on it.
    if (this.#evaluationDue() && evaluations.at(-1)?.step !== trainer.step) await this.#evaluate();
    if (!this.#signal.aborted) {
      try {
        for await (const record of trainer.run()) {
          this.#parts.average?.update();
          await this.#folder.addStep(record);
          this.#observer.step?.(record);
          const last = trainer.step === config.steps;
          if (this.#signal.aborted || last || trainer.step % config.checkpoint_every === 0)
            await this.#save();
          if (this.#signal.aborted) break;
          if (this.#evaluationDue()) await this.#evaluate();
          else if (performance.now() - this.#reported > 1000 * REPORT_EVERY) await this.#report();
          if (this.#signal.aborted) break;
        }
      } catch (error) {
        if (error instanceof DivergedError) throw await this.#saveDiverged(error);
        throw error;
      }
    }
    if (this.#signal.aborted && this.#saved !== trainer.step) await this.#save();
    await this.#report();
    return { step: trainer.step, finished: trainer.step >= config.steps, best: this.#best() };
  }

  #evaluationDue(): boolean {
    const { step } = this.#trainer;
    const { steps, evaluate_every: every } = this.#folder.config;
    return step > 0 && (step === steps || (every !== null && step % every === 0));
  }

  /** The state dict to evaluate and keep. */
  #model(): LazyState {
    const { network, average } = this.#parts;
    const averages = average?.lazyState ?? new Map();
    return new Map([...network.lazyState].map(([name, own]) => [name, averages.get(name) ?? own]));
  }

  async #save(): Promise<void> {
    const { network, optimizer, average, schedule } = this.#parts;
    const { step, position } = this.#trainer;
    const { config } = this.#folder;
    const tensors: TensorSets<LazyParameter> = {
      weights: network.lazyState,
      optimizer: optimizer.lazyState,
      ...(average && { average: average.lazyState }),
    };
    const state = { position, seed: config.seed, lr: schedule(step), config };
    const path = await this.#folder.saveCheckpoint({ step, state, tensors });
    this.#saved = step;
    this.#observer.checkpoint?.(path);
    if (!this.#best()) await this.#folder.saveModel(this.#model(), config.model, step);
  }

  async #evaluate(): Promise<void> {
    const { evaluate } = this.#parts;
    if (!evaluate) return;
    const { step } = this.#trainer;
    this.#observer.evaluating?.(step);
    const from = performance.now();
    const state = await readState(this.#model());
    let found: Evaluated;
    try {
      found = await evaluate(state, this.#signal);
    } catch (error) {
      if (this.#signal.aborted) return; // it will be caught up on
      throw error;
    }
    const record = { step, metrics: found.metrics, seconds: (performance.now() - from) / 1000 };
    await this.#folder.addEvaluation(record);
    const best = this.#best() === record;
    if (best) await this.#folder.saveModel(state, this.#folder.config.model, step);
    await this.#folder.saveExamples(found.examples);
    this.#observer.evaluation?.(record, best);
    await this.#report();
  }

  /** The first of the evaluations that have the most of what `evaluation.best` names; undefined before the first. */
  #best(): EvaluationRecord | undefined {
    const { evaluations, config } = this.#folder;
    const score = ({ metrics }: EvaluationRecord) => {
      const value = metrics[config.evaluation.best];
      if (value === undefined) {
        throw new NlrcnnError(
          'ERR_NLRCNN_CONFIG',
          `Expected one of ${Object.keys(metrics).join(', ')} for evaluation.best but received ${config.evaluation.best}`,
        );
      }
      return Number.isNaN(value) ? -1 : value;
    };
    const scored = evaluations.filter(({ metrics }) => Object.keys(metrics).length > 0);
    return scored.reduce<EvaluationRecord | undefined>(
      (best, own) => (best && score(best) >= score(own) ? best : own),
      undefined,
    );
  }

  async #report(): Promise<void> {
    const { config, steps, evaluations } = this.#folder;
    const examples = await this.#folder.examples();
    await this.#folder.saveReport(
      trainingReport({ config, steps, evaluations, examples, best: this.#best() }),
    );
    this.#reported = performance.now();
  }

  async #saveDiverged(error: DivergedError): Promise<DivergedError> {
    const { step, losses, batch } = error;
    const place = join(this.#folder.path, `diverged-${String(step).padStart(8, '0')}`);
    const { position, samples } = batch;
    const pictures = samples.map(({ id, name }) => ({ id, name }));
    const seed = this.#folder.config.seed;
    const about = { step, seed, lr: this.#parts.schedule(step - 1), position, losses, samples: pictures };
    let where = `the batch is in ${place}`;
    try {
      await writeWholeFolder(place, async (unfinished) => {
        const text = JSON.stringify(
          about,
          (_, value) => (Number.isNaN(value) || Math.abs(value) === Infinity ? String(value) : value),
          2,
        );
        await unfinished.write('batch.json', `${text}\n`);
        await this.#parts.saveBatch?.(unfinished, batch as B);
      });
      await this.#report();
    } catch (failure) {
      // Why the run ended matters more than that it could not be written down.
      if (!isNlrcnnError(failure)) throw failure;
      where = failure.message;
    }
    const left = this.#saved > 0 ? `, the last checkpoint is of step ${this.#saved}` : '';
    return new DivergedError(`${error.message}; ${where}${left}`, step, losses, batch);
  }
}
