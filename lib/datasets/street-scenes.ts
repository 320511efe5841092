import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { mergeRles } from '../masks/rle.js';
import type { Dataset, ExifSetting, Sample } from './dataset.js';
import { listPictures, readText } from './files.js';
import { instancesOf, type Meaning, readLabelImage } from './label-image.js';
import { datasetOf } from './records.js';

export interface StreetSceneOptions {
  data: string;
  split?: string | undefined;
  /** See OpenDatasetOptions. */
  exif?: ExifSetting | undefined;
}

/** Cityscapes' classes with instances that its benchmark scores, by its label ids; KITTI uses the same. */
const CLASSES = new Map([
  [24, 'person'],
  [25, 'rider'],
  [26, 'car'],
  [27, 'truck'],
  [28, 'bus'],
  [31, 'train'],
  [32, 'motorcycle'],
  [33, 'bicycle'],
]);
const CATEGORY_IDS = [0, ...CLASSES.keys()];
const CLASS_NAMES = ['background', ...CLASSES.values()];

/** Cityscapes' classes that are not judged: unlabelled, ego vehicle, static, dynamic, parking, caravan, … */
const VOID = new Set([0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30]);

const IGNORED: Meaning = { label: -1, crowd: true };

function meaningOf(categoryId: number, crowd: boolean): Meaning {
  const label = CATEGORY_IDS.indexOf(categoryId);
  return label > 0 ? { label, crowd } : null;
}

/** class · 1000 + instance; the class alone where single objects cannot be told apart. */
function cityscapesMeaning(value: number): Meaning {
  if (VOID.has(value)) return IGNORED;
  return value < 1000 ? meaningOf(value, true) : meaningOf(Math.floor(value / 1000), false);
}

/** class · 256 + instance, instance 0 where single objects cannot be told apart. */
function kittiMeaning(value: number): Meaning {
  const category = Math.floor(value / 256);
  return VOID.has(category) ? IGNORED : meaningOf(category, value % 256 === 0);
}

interface StreetScene {
  format: 'cityscapes' | 'kitti';
  id: string;
  image: string;
  labels: string;
  exif: ExifSetting | undefined;
}

/**
 * Cityscapes, as its archives unpack: `leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png` with
 * `gtFine/SPLIT/CITY/NAME_gtFine_instanceIds.png`. The eight classes of its benchmark; groups are crowds.
 * @throws NlrcnnError ERR_NLRCNN_IO for a missing folder, ERR_NLRCNN_DATASET for one without pictures.
 */
export async function openCityscapes({ data, split = 'train', exif }: StreetSceneOptions): Promise<Dataset> {
  const [images, labels] = ['leftImg8bit', 'gtFine'].map((part) => resolve(data, part, split)) as [
    string,
    string,
  ];
  const suffix = '_leftImg8bit.png';
  const stems = (await listPictures(images)).flatMap((path) =>
    path.endsWith(suffix) ? [path.slice(0, -suffix.length)] : [],
  );
  return open(
    images,
    stems.map((stem) => ({
      format: 'cityscapes',
      id: basename(stem),
      image: join(images, `${stem}${suffix}`),
      labels: join(labels, `${stem}_gtFine_instanceIds.png`),
      exif,
    })),
  );
}

/**
 * KITTI's instance segmentation, as its archive unpacks: `training/image_2/NAME.png` with `training/instance/NAME.png`. The
 * archive has no other split with labels; `data/SPLIT.txt` makes one, with a NAME a line.
 * @throws NlrcnnError ERR_NLRCNN_IO for a missing folder, ERR_NLRCNN_DATASET for one without pictures.
 */
export async function openKitti({ data, split = 'training', exif }: StreetSceneOptions): Promise<Dataset> {
  const list = resolve(data, `${split}.txt`);
  const root = resolve(data, existsSync(list) ? 'training' : split);
  const names = existsSync(list)
    ? (await readText(list)).split(/\s+/).filter((name) => name !== '')
    : (await listPictures(join(root, 'image_2'))).map((path) => path.replace(/\.png$/, ''));
  return open(
    join(root, 'image_2'),
    names.map((id) => ({
      format: 'kitti',
      id,
      image: join(root, 'image_2', `${id}.png`),
      labels: join(root, 'instance', `${id}.png`),
      exif,
    })),
  );
}

/** @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_IMAGE, ERR_NLRCNN_DATASET, each with the file. */
export async function readSample({ format, id, image, labels, exif }: StreetScene): Promise<Sample> {
  const map = await readLabelImage(labels, exif);
  const regions = instancesOf(map, format === 'kitti' ? kittiMeaning : cityscapesMeaning);
  const ignored = regions.flatMap(({ label, mask }) => (label < 0 ? [mask] : []));
  return {
    id,
    name: basename(image),
    image,
    width: map.width,
    height: map.height,
    instances: regions.filter(({ label }) => label > 0),
    ...(exif && { exif }),
    ...(ignored.length > 0 && { ignored: mergeRles(ignored) }),
  };
}

function open(folder: string, scenes: readonly StreetScene[]): Dataset {
  if (scenes.length === 0) {
    throw new NlrcnnError('ERR_NLRCNN_DATASET', `Expected pictures in ${folder} but there are none`);
  }
  return datasetOf({
    classNames: CLASS_NAMES,
    categoryIds: CATEGORY_IDS,
    length: scenes.length,
    record: (index) => scenes[index]!,
    readSample,
    module: __filename,
  });
}
