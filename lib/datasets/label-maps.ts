import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { NlrcnnError } from '../errors.js';
import type { Dataset, ExifSetting, Sample } from './dataset.js';
import { byCodeUnit, firstExisting, picturesByStem, readText } from './files.js';
import { instancesOf, readLabelImage } from './label-image.js';
import { datasetOf } from './records.js';

export interface LabelMapOptions {
  /** With `images/` and label folders, or with a folder of these per split. */
  data: string;
  split?: string | undefined;
  /** Folder of label maps, in `data` or absolute; default: see `openLabelMaps`. */
  labels?: string | undefined;
  /** What the objects are called. Default: object */
  className?: string | undefined;
  /** See OpenDatasetOptions. */
  exif?: ExifSetting | undefined;
}

interface LabelMapRecord {
  id: string;
  image: string;
  labels: string;
  exif: ExifSetting | undefined;
}

/**
 * An image and a gray or indexed PNG, or a TIFF, of labels (0 background, every other value one object) of the same name each.
 *
 * - `data/index.csv` with columns `id` and `split` (all others are ignored) says which pictures of `data/images` are of a split; labels are in
 *   `data/labels_SPLIT…` where there is one such folder, else in `data/labels` or `data/masks`.
 * - Without it, `data/SPLIT/images` and `data/SPLIT/labels` (or `masks`), as StarDist's data sets are laid out.
 * - Without `split`, all pictures of `data/images`.
 *
 * A picture without a label map is a sample that cannot be read, not one without objects.
 * @throws NlrcnnError ERR_NLRCNN_IO for missing folders, ERR_NLRCNN_DATASET for an index that cannot be used.
 */
export async function openLabelMaps(options: LabelMapOptions): Promise<Dataset> {
  const { split, labels, className = 'object', exif } = options;
  const data = resolve(options.data);
  const index = join(data, 'index.csv');
  const perSplit = split !== undefined && !existsSync(index);
  const root = perSplit ? join(data, split) : data;
  const [images, ids] = await Promise.all([
    picturesByStem(join(root, 'images')),
    split !== undefined && !perSplit ? idsOfSplit(index, split) : undefined,
  ]);
  const folder = labels ? resolve(root, labels) : await labelFolder(root, perSplit ? undefined : split);
  const maps = await picturesByStem(folder);
  const records = (ids ?? [...images.keys()].sort(byCodeUnit)).map(
    (id): LabelMapRecord => ({
      id,
      image: images.get(id) ?? join(root, 'images', `${id}.png`),
      labels: maps.get(id) ?? join(folder, `${id}.png`),
      exif,
    }),
  );
  if (records.length === 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected pictures in ${join(root, 'images')} but there are none`,
    );
  }
  return datasetOf({
    classNames: ['background', className],
    length: records.length,
    record: (i) => records[i]!,
    readSample,
    module: __filename,
  });
}

/** @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_IMAGE, ERR_NLRCNN_DATASET, each with the file. */
export async function readSample({ id, image, labels, exif }: LabelMapRecord): Promise<Sample> {
  const map = await readLabelImage(labels, exif);
  const instances = instancesOf(map, (value) => (value === 0 ? null : { label: 1, crowd: false }));
  const { width, height } = map;
  return { id, name: basename(image), image, width, height, instances, ...(exif && { exif }) };
}

async function labelFolder(root: string, split: string | undefined): Promise<string> {
  if (split !== undefined) {
    const own = (await readdir(root)).filter((name) => name.startsWith(`labels_${split}`));
    if (own.length === 1) return join(root, own[0]!);
    if (own.length > 1) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `Expected one folder of labels for split ${split} but received ${own.sort().join(', ')}: name one as labels`,
      );
    }
  }
  return firstExisting('label maps', [join(root, 'labels'), join(root, 'masks')]);
}

async function idsOfSplit(index: string, split: string): Promise<string[]> {
  const [header = '', ...rows] = (await readText(index)).split(/\r?\n/).filter((line) => line !== '');
  const columns = header.split(',');
  const [idAt, splitAt] = [columns.indexOf('id'), columns.indexOf('split')];
  if (idAt < 0 || splitAt < 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected columns id and split in ${index} but received ${columns.join(', ')}`,
    );
  }
  const cells = rows.map((row) => row.split(','));
  const ids = cells.filter((row) => row[splitAt] === split).map((row) => row[idAt]!);
  if (ids.length > 0) return ids;
  const known = [...new Set(cells.map((row) => row[splitAt]))].join(', ');
  throw new NlrcnnError('ERR_NLRCNN_DATASET', `Expected one of ${known} for split but received ${split}`);
}
