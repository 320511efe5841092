import { isAbsolute, resolve } from 'node:path';
import type { ExifSetting } from '../datasets/dataset.js';
import type { DatasetFormat } from '../datasets/open.js';
import type { Precision } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { COCO_STATS } from '../evaluate/coco.js';
import { METRICS, type Metric } from '../evaluate/images.js';
import type { ModelConfig } from '../models/model-config.js';
import type { Pair } from '../ops/conv2d.js';
import {
  bool,
  type Check,
  fail,
  fill,
  fraction,
  integer,
  is,
  list,
  number,
  oneOf,
  optional,
  positive,
  type Schema,
  section,
  strings,
  text,
} from '../schema.js';
import { DEFAULT_TRAINING, type TrainingSettings } from '../train/settings.js';
import { parseConfig } from '../weights/config.js';

/** What may happen to a picture on its way into a batch; see AugmentOptions. */
export interface AugmentConfig {
  horizontal_flip: number;
  vertical_flip: number;
  rotate90: boolean;
  scale: Pair;
  fill: number;
  min_area: number;
  brightness: Pair;
  contrast: Pair;
}

/** Where annotated pictures come from; see OpenDatasetOptions. Paths may be relative to `dir`. */
export interface DataConfig {
  format: DatasetFormat;
  /** The data set's folder. */
  dir: string;
  /** Its part to learn from; null: all of it. */
  train_split: string | null;
  /** Its part for evaluation during the run; null: none. */
  val_split: string | null;
  annotations: string | null;
  val_annotations: string | null;
  images: string | null;
  labels: string | null;
  val_labels: string | null;
  class_name: string | null;
  /** Classes whose objects are left out. */
  ignore_classes: string[];
  /** Which pixels annotations count in where images have an EXIF orientation; null: apply, with a warning where it matters. */
  exif: ExifSetting | null;
  /** Threads that read, decode and augment. */
  workers: number;
  /** Memory for decoded pictures, MiB. */
  cache_mib: number;
  augment: AugmentConfig;
}

export interface OptimizerConfig {
  type: 'sgd' | 'adamw';
  /** At its height, after the warm-up. */
  lr: number;
  /** sgd */
  momentum: number;
  /** sgd */
  nesterov: boolean;
  /** adamw */
  betas: Pair;
  /** adamw */
  eps: number;
  weight_decay: number;
  no_decay_on_norms_and_biases: boolean;
  /** Greatest norm of all gradients together; null: as they are. */
  clip_norm: number | null;
  /** Batches whose mean gradient makes one step. */
  accumulate: number;
  /** Decay of the moving average of the weights that is evaluated and kept; null: the weights themselves. */
  ema: number | null;
}

export interface ScheduleConfig {
  type: 'step' | 'multi_step' | 'cosine';
  /** step: every so many steps the rate is multiplied by gamma. */
  step_size: number;
  /** multi_step: at these steps. */
  milestones: number[];
  gamma: number;
  /** cosine: the rate at the end. */
  min_lr: number;
  /** Steps of a linear rise. */
  warmup_steps: number;
  /** Part of the rate that the warm-up begins with. */
  warmup_factor: number;
}

/** torchvision's matchers and samplers. */
export type SamplingConfig = Omit<TrainingSettings, 'trainable_backbone_layers' | 'resize'>;

export interface EvaluationConfig {
  /** What is computed on `data.val_split`. */
  metrics: Metric[];
  /** The model that has the most of it is kept. */
  best: string;
  /** At most so many pictures, spread over the split; null: all. */
  max_pictures: number | null;
  /** stardist: only detections above this score count. */
  score: number;
}

/** A training run, complete. */
export interface TrainingConfig {
  model: ModelConfig;
  data: DataConfig;
  optimizer: OptimizerConfig;
  schedule: ScheduleConfig;
  sampling: SamplingConfig;
  /** Times that the optimiser changes the weights. */
  steps: number;
  /** Pictures of one batch. */
  batch_size: number;
  /** Height and width of what is cut out of each (scaled) picture; null: whole pictures. */
  crop: Pair | null;
  /** Whether pictures are resized to the model's min_size and max_size, as for inference. */
  resize: boolean;
  /** Order, augmentation, sampling and first weights all follow from it. */
  seed: number;
  precision: Precision;
  /** Stages of the body that learn, counted from the last: 0 to 5. */
  trainable_backbone_layers: number;
  /** Weights to begin with (safetensors or a PyTorch checkpoint); null: random ones. */
  init: string | null;
  checkpoint_every: number;
  /** Checkpoints kept, the newest. */
  keep: number;
  /** Steps between evaluations; null: only at the end. */
  evaluate_every: number | null;
  evaluation: EvaluationConfig;
  /** What a picture or annotation that cannot be read does. */
  on_data_error: 'fail' | 'skip';
}

const range: Check = (value, path) => {
  list(number(0, 1e6), 2)(value, path);
  const [low, high] = value as Pair;
  if (low > high) fail(path, 'two rising numbers', value);
};

const milestones: Check = (value, path) => {
  if (!Array.isArray(value)) fail(path, 'an array of steps', value);
  value.forEach((step, i) => {
    integer(1, 1e9)(step, `${path}[${i}]`);
    if (i > 0 && step <= value[i - 1]) fail(path, 'rising steps', value);
  });
};

const AUGMENT: Schema<AugmentConfig> = {
  horizontal_flip: { fallback: is(0.5), check: fraction },
  vertical_flip: { fallback: is(0), check: fraction },
  rotate90: { fallback: is(false), check: bool },
  scale: {
    fallback: is([1, 1]),
    check: (value, path) => {
      range(value, path);
      if (!((value as Pair)[0] > 0)) fail(path, 'two positive numbers', value);
    },
  },
  fill: { fallback: is(0), check: number(-1e6, 1e6) },
  min_area: { fallback: is(10), check: number(0, 1e9) },
  brightness: { fallback: is([1, 1]), check: range },
  contrast: { fallback: is([1, 1]), check: range },
};

const required = (value: unknown, path: string) => fail(path, 'a value', value);
const path = { fallback: is(null), check: optional(text) };

const DATA: Schema<DataConfig> = {
  format: {
    fallback: is(undefined),
    check: (value, path) =>
      value === undefined
        ? required(value, path)
        : oneOf('labelmaps', 'coco', 'cityscapes', 'kitti')(value, path),
  },
  dir: {
    fallback: is(undefined),
    check: (value, path) => (value === undefined ? required(value, path) : text(value, path)),
  },
  train_split: path,
  val_split: path,
  annotations: path,
  val_annotations: path,
  images: path,
  labels: path,
  val_labels: path,
  class_name: path,
  ignore_classes: { fallback: is([]), check: strings },
  exif: { fallback: is(null), check: optional(oneOf('apply', 'ignore')) },
  workers: { fallback: is(1), check: integer(0, 256) },
  cache_mib: { fallback: is(256), check: integer(0) },
  augment: section(AUGMENT),
};

const OPTIMIZER: Schema<OptimizerConfig> = {
  type: { fallback: is('sgd'), check: oneOf('sgd', 'adamw') },
  lr: { fallback: ({ type }) => (type === 'adamw' ? 2e-4 : 0.0025), check: positive },
  momentum: { fallback: is(0.9), check: fraction },
  nesterov: { fallback: is(false), check: bool },
  betas: { fallback: is([0.9, 0.999]), check: list(fraction, 2) },
  eps: { fallback: is(1e-8), check: positive },
  weight_decay: { fallback: ({ type }) => (type === 'adamw' ? 0.01 : 1e-4), check: number(0, 1e6) },
  no_decay_on_norms_and_biases: { fallback: is(false), check: bool },
  clip_norm: { fallback: is(null), check: optional(positive) },
  accumulate: { fallback: is(1), check: integer(1) },
  ema: { fallback: is(null), check: optional(fraction) },
};

const SCHEDULE: Schema<ScheduleConfig> = {
  type: { fallback: is('cosine'), check: oneOf('step', 'multi_step', 'cosine') },
  step_size: { fallback: is(1000), check: integer(1, 1e9) },
  milestones: { fallback: is([]), check: milestones },
  gamma: { fallback: is(0.1), check: fraction },
  min_lr: { fallback: is(0), check: number(0, 1e6) },
  warmup_steps: { fallback: is(0), check: integer(0, 1e9) },
  warmup_factor: { fallback: is(0.001), check: fraction },
};

const top = (key: keyof SamplingConfig, check: Check) => ({ fallback: is(DEFAULT_TRAINING[key]), check });

const SAMPLING: Schema<SamplingConfig> = {
  rpn_pre_nms_top_n_train: top('rpn_pre_nms_top_n_train', integer(1)),
  rpn_post_nms_top_n_train: top('rpn_post_nms_top_n_train', integer(1, 20000)),
  rpn_fg_iou_thresh: top('rpn_fg_iou_thresh', fraction),
  rpn_bg_iou_thresh: top('rpn_bg_iou_thresh', fraction),
  rpn_batch_size_per_image: top('rpn_batch_size_per_image', integer(1)),
  rpn_positive_fraction: top('rpn_positive_fraction', fraction),
  box_fg_iou_thresh: top('box_fg_iou_thresh', fraction),
  box_bg_iou_thresh: top('box_bg_iou_thresh', fraction),
  box_batch_size_per_image: top('box_batch_size_per_image', integer(1)),
  box_positive_fraction: top('box_positive_fraction', fraction),
};

/** What each metric is called in evaluations.jsonl; the first is best where nothing is said. */
const METRIC_NAMES: Record<Metric, string[]> = {
  coco: ['segm', 'bbox'].flatMap((type) => COCO_STATS.map((name) => `${type}_${name}`)),
  stardist: Array.from({ length: 9 }, (_, i) => `stardist_${(0.5 + 0.05 * i).toFixed(2)}`),
  cityscapes: ['cityscapes_AP', 'cityscapes_AP50'],
};

const EVALUATION: Schema<EvaluationConfig> = {
  metrics: { fallback: is(['coco']), check: list(oneOf(...METRICS)) },
  best: {
    fallback: ({ metrics }) => METRIC_NAMES[metrics?.[0] ?? 'coco']?.[0],
    check: text,
  },
  max_pictures: { fallback: is(null), check: optional(integer(1, 1e9)) },
  score: { fallback: is(0.5), check: fraction },
};

const TRAINING: Schema<TrainingConfig> = {
  model: {
    fallback: is({}),
    check: () => {},
    complete: (value) => within('model', () => parseConfig(value)),
  },
  data: section(DATA),
  optimizer: section(OPTIMIZER),
  schedule: section(SCHEDULE),
  sampling: section(SAMPLING),
  steps: { fallback: is(10000), check: integer(1, 1e9) },
  batch_size: { fallback: is(2), check: integer(1, 1024) },
  crop: { fallback: is(null), check: optional(list(integer(32, 16384), 2)) },
  resize: { fallback: ({ crop }) => (crop ?? null) === null, check: bool },
  seed: { fallback: is(0), check: integer(0, 0xffff_ffff) },
  precision: { fallback: is('fp32'), check: oneOf('fp32', 'tf32', 'bf16', 'fp16') },
  trainable_backbone_layers: { fallback: ({ init }) => (init ? 3 : 5), check: integer(0, 5) },
  init: { fallback: is(null), check: optional(text) },
  checkpoint_every: { fallback: is(500), check: integer(1, 1e9) },
  keep: { fallback: is(2), check: integer(1) },
  evaluate_every: { fallback: is(null), check: optional(integer(1, 1e9)) },
  evaluation: section(EVALUATION),
  on_data_error: { fallback: is('fail'), check: oneOf('fail', 'skip') },
};

/** Names the section in the message of an error from inside it. */
function within<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof NlrcnnError)) throw cause;
    throw new NlrcnnError(cause.code, `${name}: ${cause.message}`, { cause });
  }
}

/**
 * A complete training config, with defaults where a key is missing (torchvision's, where it has one); paths become
 * absolute, against the working directory.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG for unknown keys and for values that a key does not take.
 */
export function parseTrainingConfig(value: unknown): TrainingConfig {
  const config = fill(value, TRAINING, '');
  const { data, sampling, schedule } = config;
  data.dir = resolve(data.dir);
  if (config.init !== null && !isAbsolute(config.init)) config.init = resolve(config.init);
  for (const stage of ['rpn', 'box'] as const) {
    const [low, high] = [sampling[`${stage}_bg_iou_thresh`], sampling[`${stage}_fg_iou_thresh`]];
    if (low > high) {
      fail(`sampling.${stage}_bg_iou_thresh`, `at most ${stage}_fg_iou_thresh (${high})`, low);
    }
  }
  if (schedule.type === 'multi_step' && schedule.milestones.length === 0) {
    fail('schedule.milestones', 'one or more steps for schedule.type multi_step', schedule.milestones);
  }
  const names = config.evaluation.metrics.flatMap((metric) => METRIC_NAMES[metric]);
  if (config.model.architecture === 'fasterrcnn' && config.evaluation.best.startsWith('segm_')) {
    config.evaluation.best = config.evaluation.best.replace('segm_', 'bbox_');
  }
  oneOf(...names)(config.evaluation.best, 'evaluation.best');
  if (config.optimizer.nesterov && config.optimizer.momentum === 0) {
    fail('optimizer.momentum', 'a positive number with optimizer.nesterov', 0);
  }
  return config;
}

/**
 * `key.path=value` put into a config that is not parsed yet; the value is JSON, or a string where it is none.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG where there is no `=` or the path leads through something that is no object.
 */
export function applyOverride(config: Record<string, unknown>, override: string): void {
  const at = override.indexOf('=');
  const keys = override.slice(0, Math.max(at, 0)).split('.');
  if (at < 1 || keys.some((key) => key === '')) {
    throw new NlrcnnError('ERR_NLRCNN_CONFIG', `Expected key.path=value but received ${override}`);
  }
  let place = config;
  for (const [i, key] of keys.slice(0, -1).entries()) {
    const next = Object.hasOwn(place, key) ? (place[key] ?? {}) : {};
    if (typeof next !== 'object' || Array.isArray(next))
      fail(keys.slice(0, i + 1).join('.'), 'an object', next);
    place[key] = { ...next };
    place = place[key] as Record<string, unknown>;
  }
  place[keys.at(-1)!] = parseValue(override.slice(at + 1));
}

function parseValue(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

/** Keys that may differ between a run and its continuation, as they do not bear on what is learned before. */
const FREE = [
  'steps',
  'checkpoint_every',
  'keep',
  'evaluate_every',
  'evaluation',
  'on_data_error',
  'data.dir',
  'data.workers',
  'data.cache_mib',
  'init',
];

/** Paths of the keys whose values differ between two configs, but for those that a continued run may change. */
export function changedKeys(before: unknown, now: unknown, path = ''): string[] {
  if (FREE.includes(path) || JSON.stringify(before) === JSON.stringify(now)) return [];
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(before) || !isObject(now)) return [path];
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((key) =>
    changedKeys(before[key], now[key], path ? `${path}.${key}` : key),
  );
}
