import { type FileHandle, mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import { formatConfig } from '../schema.js';
import { type StoredTensor, writeSafetensors } from '../weights/write-safetensors.js';
import {
  type Checkpoint,
  latestCheckpoint,
  removeUnfinished,
  replaceFile,
  saveCheckpoint,
} from './checkpoint.js';
import { changedKeys, parseTrainingConfig, type TrainingConfig } from './config.js';
import type { StepRecord } from './trainer.js';

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
    readonly metrics: FileHandle,
  ) {}

  /**
   * Opens a folder for a new run, or to go on from its newest sound checkpoint (from the beginning where it has none yet);
   * what was logged after that is forgotten.
   * @throws NlrcnnError ERR_NLRCNN_IO where the folder has a run and `resume` is not set, or cannot be written;
   * ERR_NLRCNN_CONFIG where the config differs from that of the run.
   */
  static async open(path: string, config: TrainingConfig, resume: boolean): Promise<RunFolder> {
    try {
      await mkdir(path, { recursive: true });
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new NlrcnnError(
        'ERR_NLRCNN_IO',
        `Expected a folder to write to but ${path} is none (${code}): choose another --out`,
        { cause },
      );
    }
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
    const found = resume ? await latestCheckpoint<RunState>(path) : undefined;
    const notes = found ? found.passed.map((why) => `passed over ${why}`) : [];
    if (resume && !found) notes.push(`${path} has no checkpoint yet: from the beginning`);
    const done = found?.checkpoint.step ?? 0;
    const steps = (await readLines<Record<string, number>>(join(path, METRICS), done)).map(fromMetrics);
    const evaluations = await readLines<EvaluationRecord>(join(path, EVALUATIONS), done);
    await replaceFile(join(path, CONFIG), `${formatConfig(config)}\n`);
    await replaceFile(join(path, METRICS), toLines(steps.map(toMetrics)));
    await replaceFile(join(path, EVALUATIONS), toLines(evaluations));
    const metrics = await open(join(path, METRICS), 'a');
    return new RunFolder(path, config, found?.checkpoint, notes, steps, evaluations, metrics);
  }

  /** A line of metrics.jsonl. */
  async addStep(record: StepRecord): Promise<void> {
    this.steps.push(record);
    await this.metrics.appendFile(`${JSON.stringify(toMetrics(record))}\n`);
  }

  async addEvaluation(record: EvaluationRecord): Promise<void> {
    this.evaluations.push(record);
    await writeFile(join(this.path, EVALUATIONS), `${JSON.stringify(record)}\n`, { flag: 'a' });
  }

  async saveCheckpoint(checkpoint: Checkpoint<RunState, StoredTensor>): Promise<string> {
    await this.metrics.sync();
    return saveCheckpoint(this.path, checkpoint, this.config.keep);
  }

  /** `model/`: the weights by an atomic rename, their config beside them and in their metadata. */
  async saveModel(
    state: ReadonlyMap<string, StoredTensor>,
    config: ModelConfig,
    step: number,
  ): Promise<void> {
    const folder = join(this.path, 'model');
    await mkdir(folder, { recursive: true });
    const text = JSON.stringify(config);
    const weights = join(folder, 'weights.safetensors');
    await writeSafetensors(`${weights}.writing`, state, { 'nlrcnn.config': text, step: String(step) });
    await rename(`${weights}.writing`, weights);
    await replaceFile(join(folder, 'config.json'), `${formatConfig(config)}\n`);
  }

  async saveExamples(examples: readonly { name: string; picture: Uint8Array }[]): Promise<void> {
    const folder = join(this.path, 'examples');
    await mkdir(folder, { recursive: true });
    for (const { name, picture } of examples) await replaceFile(join(folder, name), picture);
  }

  /** File names and PNGs, in the order of their names. */
  async examples(): Promise<{ name: string; picture: Uint8Array }[]> {
    const folder = join(this.path, 'examples');
    const names = await readdir(folder).catch(() => []);
    const pictures = names.filter((name) => name.endsWith('.png')).sort();
    return Promise.all(pictures.map(async (name) => ({ name, picture: await readFile(join(folder, name)) })));
  }

  async saveReport(html: string): Promise<void> {
    await replaceFile(join(this.path, 'report.html'), html);
  }

  async close(): Promise<void> {
    await this.metrics.close();
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

const toLines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

/** The objects of a JSON lines file up to step `last`; a line that a kill cut short ends it. */
async function readLines<T>(path: string, last: number): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const out: T[] = [];
  for (const line of text.split('\n')) {
    try {
      const value = JSON.parse(line) as T & { step: number };
      if (value.step <= last) out.push(value);
    } catch {
      break;
    }
  }
  return out;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_CONFIG', `${path}: expected JSON (${(cause as Error).message})`, {
      cause,
    });
  }
}
