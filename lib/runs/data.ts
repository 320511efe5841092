import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkAnnotations, checkObjects } from '../datasets/check.js';
import { nameSome, onlyClass } from '../datasets/classes.js';
import type { Dataset } from '../datasets/dataset.js';
import { readText } from '../datasets/files.js';
import { type DatasetFormat, openDataset } from '../datasets/open.js';
import { type FittedDataset, fitDataset, withoutClasses } from '../datasets/relabel.js';
import { NlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import type { DataConfig, TrainingConfig } from './config.js';

/**
 * Opens the part of a run's data set to learn from, or that for evaluation. Label maps do not say what their objects are: without
 * `class_name` they are of the model's class, where it has one. `masks` as `openDataset`.
 */
export function openSplit(
  data: DataConfig,
  part: 'train' | 'val',
  {
    model,
    masks = 'required',
  }: { model?: { readonly class_names: readonly string[] }; masks?: 'required' | 'optional' } = {},
): Promise<Dataset> {
  const given = (value: string | null) => value ?? undefined;
  const own = part === 'train';
  return openDataset({
    format: data.format,
    data: data.dir,
    split: given(own ? data.train_split : data.val_split),
    annotations: given(own ? data.annotations : (data.val_annotations ?? data.annotations)),
    images: given(data.images),
    labels: given(own ? data.labels : (data.val_labels ?? data.labels)),
    className: given(data.class_name) ?? onlyClass(model),
    masks,
    exif: data.exif ?? undefined,
  });
}

/**
 * The model's config with the data set's class names where it has none, and the data set in the model's labels: classes are matched
 * by name.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG where the model has another number of classes, or lacks one of the data's.
 */
function withClasses(
  model: ModelConfig,
  given: Dataset,
  ignore: readonly string[],
): FittedDataset & { model: ModelConfig } {
  const owner = 'the training data';
  const data = withoutClasses(given, ofThese(ignore, given), owner);
  const { classNames } = data;
  if (model.class_names.length === 0 && model.num_classes !== classNames.length) {
    throw new NlrcnnError(
      'ERR_NLRCNN_CONFIG',
      `Expected model.num_classes ${classNames.length} for the data's classes (${classNames.join(', ')}) but received ${model.num_classes}`,
    );
  }
  const named = model.class_names.length > 0 ? model : { ...model, class_names: [...classNames] };
  const hint = 'name it in model.class_names, or leave its objects out with data.ignore_classes';
  const fitted = fitDataset(data, named, { owner, hint });
  if (fitted.unused.length > 0) fitted.notes.push(`${owner} has no ${nameSome(fitted.unused)}`);
  return { ...fitted, model: named };
}

/**
 * The data set for evaluation in the model's labels. It may lack classes of the model, which are then not scored.
 * @throws NlrcnnError ERR_NLRCNN_DATASET that names the classes that the model lacks.
 */
function evaluationData(model: ModelConfig, val: Dataset, ignore: readonly string[]): FittedDataset {
  const owner = 'the data for evaluation';
  const hint = 'leave its objects out with data.ignore_classes';
  const fitted = fitDataset(val, model, { owner, ignore: ofThese(ignore, val), hint });
  if (fitted.unused.length > 0) fitted.notes.push(`${owner} has no ${nameSome(fitted.unused)}: not scored`);
  return fitted;
}

/** A run's data in the labels of its model. */
export interface RunData {
  /** With class names. */
  model: ModelConfig;
  train: Dataset;
  val: FittedDataset | undefined;
  /** What the user should know, a line each. */
  notes: string[];
}

/** Whether a run needs masks of the objects that it learns from or is evaluated on. */
function masksOf(
  { model, evaluation }: Pick<TrainingConfig, 'model' | 'evaluation'>,
  part: 'train' | 'val',
): 'required' | 'optional' {
  const scored = part === 'val' && evaluation.metrics.some((metric) => metric !== 'coco');
  return model.architecture === 'maskrcnn' || scored ? 'required' : 'optional';
}

/**
 * Opens the data of a run. Classes of model, training data and data for evaluation are matched by name.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG where the model has another number of classes or `data.ignore_classes` names one that
 * there is not; ERR_NLRCNN_DATASET that names the classes that the model lacks, as `checkAnnotations` and `checkObjects`; as
 * `openDataset`.
 */
export async function openRunData(config: TrainingConfig): Promise<RunData> {
  const { data, model: given } = config;
  const ignore = data.ignore_classes;
  const open = async (part: 'train' | 'val', named: { readonly class_names: readonly string[] }) => {
    const dataset = await openSplit(data, part, { model: named, masks: masksOf(config, part) });
    checkAnnotations(dataset, part, config.on_data_error);
    return dataset;
  };
  const train = await open('train', given);
  const named = given.class_names.length > 0 ? given : { class_names: train.classNames };
  const val = data.val_split === null ? undefined : await open('val', named);
  const unknown = ignore.filter(
    (name) => !ofThese([name], train).length && !(val && ofThese([name], val).length),
  );
  if (unknown.length > 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_CONFIG',
      `Expected classes of the data (${nameSome(train.classNames.slice(1))}) for data.ignore_classes but received ${nameSome(unknown)}`,
    );
  }
  const { model, dataset, notes } = withClasses(given, train, ignore);
  await checkObjects(dataset);
  const scored = val && evaluationData(model, val, ignore);
  return { model, train: dataset, val: scored, notes: [...notes, ...(scored?.notes ?? [])] };
}

/** Those of `names` that are classes of `dataset`. */
const ofThese = (names: readonly string[], { classNames }: Dataset): string[] =>
  names.filter((name) => classNames.includes(name, 1));

/** Names of the parts that a folder seems to have, to learn from and to evaluate on; null: none. */
export async function findSplits(
  format: DatasetFormat,
  dir: string,
): Promise<{ train_split: string | null; val_split: string | null }> {
  const names = await splitNames(format, dir);
  const train = names.find((name) => name.startsWith('train')) ?? names[0] ?? null;
  const val = names.find((name) => name !== train && name.startsWith('val')) ?? null;
  return { train_split: train, val_split: val };
}

async function splitNames(format: DatasetFormat, dir: string): Promise<string[]> {
  const list = async (path: string) => (await readdir(path).catch(() => [])).sort();
  if (format === 'cityscapes') return list(join(dir, 'leftImg8bit'));
  if (format === 'kitti') return ['training'];
  const here = await list(dir);
  if (format === 'coco') {
    const files = [...here, ...(await list(join(dir, 'annotations')))];
    const named = files.flatMap((name) => name.match(/^instances_(.+)\.json$/)?.[1] ?? []);
    if (named.length > 0) return named;
    const roboflow = here.map(async (name) =>
      (await list(join(dir, name))).includes('_annotations.coco.json') ? [name] : [],
    );
    return (await Promise.all(roboflow)).flat();
  }
  if (here.includes('index.csv')) {
    const [header = '', ...rows] = (await readText(join(dir, 'index.csv'))).trim().split(/\r?\n/);
    const at = header.split(',').indexOf('split');
    return [...new Set(rows.map((row) => row.split(',')[at] ?? ''))].filter((name) => name !== '').sort();
  }
  if (here.includes('images')) return [];
  const withImages = here.map(async (name) =>
    (await list(join(dir, name))).includes('images') ? [name] : [],
  );
  return (await Promise.all(withImages)).flat();
}
