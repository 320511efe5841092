import { NlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import { matchLabels, nameSome } from './classes.js';
import type { Dataset, Sample } from './dataset.js';
import { readerOf } from './sample-job.js';

/** A data set in a model's labels. */
export interface FittedDataset {
  dataset: Dataset;
  /** The model's labels of the classes that the data set has: those that it can be scored on. */
  labels: number[];
  /** Classes that only the model has. */
  unused: string[];
  /** What the user should know, a line each. */
  notes: string[];
}

export interface FitOptions {
  /** Whose classes these are, for messages. Default: the data set */
  owner?: string | undefined;
  /** Classes of the data set whose objects are left out. */
  ignore?: readonly string[] | undefined;
  /** How a class can be left out or named, for messages. */
  hint?: string | undefined;
}

/**
 * `dataset` with the labels that `model` has for classes of the same names (see `matchLabels`). For messages, its classes are
 * those of the model.
 * @throws NlrcnnError ERR_NLRCNN_DATASET that names the classes that the model lacks, unless `ignore` has them.
 */
export function fitDataset(
  dataset: Dataset,
  model: Pick<ModelConfig, 'class_names' | 'num_classes'>,
  { owner = 'the data set', ignore = [], hint }: FitOptions = {},
): FittedDataset {
  const kept = withoutClasses(dataset, ignore, owner);
  const { labels, missing, unused, note } = matchLabels(kept, model, owner);
  if (missing.length > 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected classes of the model (${nameSome(model.class_names.slice(1))}) but ${owner} has ${nameSome(missing)}${hint ? `: ${hint}` : ''}`,
    );
  }
  const notes = note === undefined ? [] : [note];
  return {
    dataset: relabel(kept, labels, namesOf(model, kept, labels)),
    labels: labels.slice(1),
    unused,
    notes,
  };
}

/** Names of a model's labels; of one that names none, those of the data. */
function namesOf(
  { class_names: names, num_classes: count }: Pick<ModelConfig, 'class_names' | 'num_classes'>,
  { classNames }: Dataset,
  labels: readonly number[],
): readonly string[] {
  if (names.length > 0) return names;
  const byLabel = new Map(labels.map((label, i) => [label, classNames[i]!]));
  return Array.from({ length: count }, (_, label) => byLabel.get(label) ?? String(label));
}

/**
 * `dataset` without the objects of some classes; labels of the others move up.
 * @throws NlrcnnError ERR_NLRCNN_DATASET for a class that it does not have.
 */
export function withoutClasses(dataset: Dataset, names: readonly string[], owner = 'the data set'): Dataset {
  if (names.length === 0) return dataset;
  const { classNames, categoryIds } = dataset;
  const unknown = names.filter((name) => !classNames.includes(name, 1));
  if (unknown.length > 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected classes of ${owner} (${nameSome(classNames.slice(1))}) to leave out but received ${nameSome(unknown)}`,
    );
  }
  const stays = [...classNames.keys()].filter((label) => label === 0 || !names.includes(classNames[label]!));
  if (stays.length === 1) {
    throw new NlrcnnError('ERR_NLRCNN_DATASET', `Expected a class of ${owner} to stay but all are left out`);
  }
  const labels = classNames.map((_, label) => stays.indexOf(label));
  const left = relabel(
    dataset,
    labels,
    stays.map((label) => classNames[label]!),
  );
  return categoryIds ? { ...left, categoryIds: stays.map((label) => categoryIds[label]!) } : left;
}

interface RelabelledRecord {
  module: string;
  record: unknown;
  labels: readonly number[];
}

/** `dataset` with label `labels[l]` in place of l; objects of -1 are left out. */
function relabel(dataset: Dataset, labels: readonly number[], classNames: readonly string[]): Dataset {
  const { length, reader, categoryIds } = dataset;
  // Counted over all classes, so true only where none is left out.
  const contents = labels.includes(-1) ? undefined : dataset.contents;
  const same = labels.length === classNames.length && labels.every((label, i) => label === i);
  if (same) {
    const rest = {
      ...(categoryIds && { categoryIds }),
      ...(reader && { reader }),
      ...(contents && { contents }),
    };
    return { classNames, length, ...rest, sample: (index) => dataset.sample(index) };
  }
  return {
    classNames,
    length,
    ...(contents && { contents }),
    sample: async (index) => withLabels(await dataset.sample(index), labels),
    ...(reader && {
      reader: {
        module: __filename,
        record: (index): RelabelledRecord => ({
          module: reader.module,
          record: reader.record(index),
          labels,
        }),
      },
    }),
  };
}

/** What the reader of a relabelled data set runs in any thread. */
export async function readSample({ module, record, labels }: RelabelledRecord): Promise<Sample> {
  const read = await readerOf(module);
  return withLabels(await read(record), labels);
}

function withLabels(sample: Sample, labels: readonly number[]): Sample {
  const instances = sample.instances.flatMap((instance) => {
    const label = labels[instance.label] ?? -1;
    return label < 0 ? [] : [{ ...instance, label }];
  });
  return { ...sample, instances };
}
