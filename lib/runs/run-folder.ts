import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { makeFolder, prepareFolder } from '../files/folders.js';
import { JsonLines, readJsonLines } from '../files/json-lines.js';
import { removeLeftovers } from '../files/temporaries.js';
import { writeWhole } from '../files/write-whole.js';
import type { ModelConfig } from '../models/model-config.js';
import { formatConfig, parseJson } from '../schema.js';
import type { StepRecord } from '../train/trainer.js';
import { type StoredTensor, writeSafetensors } from '../weights/write-safetensors.js';
import { type Checkpoint, latestCheckpoint, removeUnfinished, saveCheckpoint } from './checkpoint.js';
import { changedKeys, parseTrainingConfig, type TrainingConfig } from './config.js';

/** What an evaluation found, as evaluations.jsonl has it. */
export interface EvaluationRecord {
  step: number;
  /** Names such as segm_AP, bbox_AP50, stardist_0.50. */
  metrics: Record<string, number>;
  seconds: number;
}

/** What a checkpoint holds beside tensors. */
export interface RunState {
  position: { epoch: number; sample: number };
  /** All random numbers follow from it, the step and the position. */
  seed: number;
  /** Rate of the next step. */
  lr: number;
  config: TrainingConfig;
}

const CONFIG = 'config.json';
const METRICS = 'metrics.jsonl';
const EVALUATIONS = 'evaluations.jsonl';
const MODEL = 'model';
const EXAMPLES = 'examples';

/**
 * The folder of a run: `config.json`, `metrics.jsonl`, `evaluations.jsonl`, `checkpoint-STEP/`,
 * `model/{weights.safetensors,config.json}`, `examples/`, `report.html`.
 */
export class RunFolder {
  private constructor(
    readonly path: string,
    readonly config: TrainingConfig,
    /** Where the run goes on; undefined: at the beginning. */
    readonly found: Checkpoint<RunState> | undefined,
    /** What the user should know, a line each. */
    readonly notes: readonly string[],
    readonly steps: StepRecord[],
    readonly evaluations: EvaluationRecord[],
    readonly metrics: JsonLines,
    readonly scores: JsonLines,
  ) {}

  /**
   * Opens a folder for a new run, or to go on from its newest sound checkpoint (from the beginning where it has none yet);
   * what was logged after that is forgotten.
   * @throws NlrcnnError ERR_NLRCNN_IO where the folder has a run and `resume` is not set, or cannot be written;
   * ERR_NLRCNN_CONFIG where the config differs from that of the run.
   */
  static async open(path: string, config: TrainingConfig, resume: boolean): Promise<RunFolder> {
    await prepareFolder(path);
    const before = await readJson<TrainingConfig>(join(path, CONFIG));
    if (before && !resume) {
      throw new NlrcnnError(
        'ERR_NLRCNN_IO',
        `Expected a new folder but ${path} has a run: continue it with --resume, or choose another --out`,
      );
    }
    // A run from before a key was there has its default.
    const changed = before ? changedKeys(parseTrainingConfig(before), config) : [];
    if (changed.length > 0) {
      throw new NlrcnnError(
        'ERR_NLRCNN_CONFIG',
        `Expected the config of the run in ${path} but ${changed.join(', ')} differ: choose another --out for a new run`,
      );
    }
    await removeUnfinished(path);
    for (const name of [MODEL, EXAMPLES]) await removeLeftovers(join(path, name));
    const found = resume ? await latestCheckpoint<RunState>(path) : undefined;
    const notes = found ? found.passed.map((why) => `passed over ${why}`) : [];
    if (resume && !found) notes.push(`${path} has no checkpoint yet: from the beginning`);
    const done = found?.checkpoint.step ?? 0;
    const logged = await readJsonLines<Record<string, number>>(join(path, METRICS));
    const steps = logged.filter(({ step }) => step! <= done).map(fromMetrics);
    const scored = await readJsonLines<EvaluationRecord>(join(path, EVALUATIONS));
    const evaluations = scored.filter(({ step }) => step <= done);
    await writeWhole(join(path, CONFIG), `${formatConfig(config)}\n`, { durable: true });
    const metrics = await JsonLines.create(join(path, METRICS), steps.map(toMetrics));
    try {
      const scores = await JsonLines.create(join(path, EVALUATIONS), evaluations);
      return new RunFolder(path, config, found?.checkpoint, notes, steps, evaluations, metrics, scores);
    } catch (error) {
      await metrics.close();
      throw error;
    }
  }

  /** A line of metrics.jsonl. */
  async addStep(record: StepRecord): Promise<void> {
    this.steps.push(record);
    await this.metrics.add(toMetrics(record));
  }

  async addEvaluation(record: EvaluationRecord): Promise<void> {
    this.evaluations.push(record);
    await this.scores.add(record);
  }

  async saveCheckpoint(checkpoint: Checkpoint<RunState, StoredTensor>): Promise<string> {
    await this.metrics.sync();
    await this.scores.sync();
    return saveCheckpoint(this.path, checkpoint, this.config.keep);
  }

  /** `model/`: the weights, their config beside them and in their metadata. */
  async saveModel(
    state: ReadonlyMap<string, StoredTensor>,
    config: ModelConfig,
    step: number,
  ): Promise<void> {
    const folder = join(this.path, MODEL);
    await makeFolder(folder);
    const metadata = { 'nlrcnn.config': JSON.stringify(config), step: String(step) };
    await writeSafetensors(join(folder, 'weights.safetensors'), state, metadata);
    await writeWhole(join(folder, 'config.json'), `${formatConfig(config)}\n`, { durable: true });
  }

  async saveExamples(examples: readonly { name: string; picture: Uint8Array }[]): Promise<void> {
    const folder = join(this.path, EXAMPLES);
    await makeFolder(folder);
    for (const { name, picture } of examples) await writeWhole(join(folder, name), picture);
  }

  /** File names and PNGs, in the order of their names. */
  async examples(): Promise<{ name: string; picture: Uint8Array }[]> {
    const folder = join(this.path, EXAMPLES);
    const names = await readdir(folder).catch(() => []);
    const pictures = names.filter((name) => name.endsWith('.png')).sort();
    return Promise.all(pictures.map(async (name) => ({ name, picture: await readFile(join(folder, name)) })));
  }

  async saveReport(html: string): Promise<void> {
    await writeWhole(join(this.path, 'report.html'), html);
  }

  async close(): Promise<void> {
    await this.metrics.close();
    await this.scores.close();
  }
}

/** A step as metrics.jsonl has it: one flat object. */
export function toMetrics({ losses, ...record }: StepRecord) {
  const { step, lr, loss, gradient_norm, images, seconds, ...rest } = record;
  const rate = Number((images / seconds).toPrecision(4));
  return { step, lr, loss, ...losses, gradient_norm, images, seconds, images_per_second: rate, ...rest };
}

function fromMetrics(line: Record<string, number>): StepRecord {
  const { step, lr, loss, gradient_norm, images, seconds, images_per_second: _, ...others } = line;
  const { overflowed, ...losses } = others;
  const record = { step, lr, loss, losses, gradient_norm, images, seconds };
  return { ...record, ...(overflowed && { overflowed: true }) } as StepRecord;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new NlrcnnError('ERR_NLRCNN_IO', `Expected a config but ${path} cannot be read (${cause.code})`, {
      cause,
    });
  });
  return text === undefined ? undefined : (parseJson(text, path) as T);
}
