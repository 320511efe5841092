import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../datasets/dataset.js';
import { readText } from '../datasets/files.js';
import { type DatasetFormat, openDataset } from '../datasets/open.js';
import { NlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import type { DataConfig } from './config.js';

/** Opens the part of a run's data set to learn from, or that for evaluation; `masks` as `openDataset`. */
export function openSplit(
  data: DataConfig,
  part: 'train' | 'val',
  masks: 'required' | 'optional' = 'required',
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
    className: given(data.class_name),
    masks,
    exif: data.exif ?? undefined,
  });
}

/**
 * The model's config with the data set's class names where it has none.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG where it has another number of classes.
 */
export function withClasses(model: ModelConfig, { classNames }: Dataset): ModelConfig {
  if (model.num_classes !== classNames.length) {
    throw new NlrcnnError(
      'ERR_NLRCNN_CONFIG',
      `Expected model.num_classes ${classNames.length} for the data's classes (${classNames.join(', ')}) but received ${model.num_classes}`,
    );
  }
  return model.class_names.length > 0 ? model : { ...model, class_names: [...classNames] };
}

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
