import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { Tally } from '../json/tally.js';
import { ValueError } from '../json/values.js';
import { type Rle, rleArea, rleFromBbox, rleToBbox } from '../masks/rle.js';
import { type CocoAnnotation, type CocoFile, type CocoImage, readCocoFile, warnOf } from './coco-file.js';
import type { Dataset, ExifSetting, Instance, Sample } from './dataset.js';
import { firstExisting } from './files.js';
import { datasetOf } from './records.js';
import { maskOf } from './segmentation.js';

export interface CocoOptions {
  /** With annotations and images. */
  data: string;
  split?: string | undefined;
  /** The JSON file, in `data` or absolute; default: see `openCoco`. */
  annotations?: string | undefined;
  /** Folder of the images, in `data` or absolute; default: see `openCoco`. */
  images?: string | undefined;
  /** See OpenDatasetOptions. */
  masks?: 'required' | 'optional' | undefined;
  exif?: ExifSetting | undefined;
}

/** An image with all that a data set needs to know of it. */
type ListedImage = { [K in keyof CocoImage]-?: NonNullable<CocoImage[K]> };
type Labelled = CocoAnnotation & { label: number };

interface CocoRecord {
  image: ListedImage;
  path: string;
  annotations: Labelled[];
  exif: ExifSetting | undefined;
}

/**
 * COCO's instances JSON: polygons, RLE (compressed or not), crowds. Labels are 1, 2, … by rising category id. Annotations are
 * `instances_SPLIT.json`, `SPLIT.json` (in `data/annotations` or `data`) or `data/SPLIT/_annotations.coco.json`; images are
 * in `data/SPLIT`, `data/images/SPLIT`, `data/images`, beside the annotations or in `data`, whichever has the first of them.
 * An annotation that cannot be used makes its sample reject; `contents` counts them.
 * @throws NlrcnnError ERR_NLRCNN_IO for missing files, ERR_NLRCNN_DATASET for a file that is not of this form.
 */
export async function openCoco(options: CocoOptions): Promise<Dataset> {
  const { split = '', masks = 'required', exif } = options;
  const data = resolve(options.data);
  const file = options.annotations
    ? resolve(data, options.annotations)
    : firstExisting('annotations', annotationFiles(data, split));
  const read = await readCocoFile(file, { images: ['file_name', 'size'], annotations: 'keep' });
  if (read.categories.length === 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected COCO instances in ${file} but it lists no categories`,
    );
  }
  // The reader was asked for names and sizes.
  const images = read.images as ListedImage[];
  const folder = options.images ? resolve(data, options.images) : imageFolder(data, split, file, images[0]!);
  const classes = read.categories.toSorted((a, b) => a.id - b.id);
  const byImage = groupAnnotations(file, { ...read, categories: classes }, masks);
  return datasetOf({
    classNames: ['background', ...classes.map(({ name }) => name)],
    categoryIds: [0, ...classes.map(({ id }) => id)],
    length: images.length,
    contents: contentsOf(byImage.values()),
    record: (index): CocoRecord => {
      const image = images[index]!;
      const annotations = byImage.get(image.id)!;
      return { image, path: imagePath(folder, image.file_name), annotations, exif };
    },
    readSample,
    module: __filename,
  });
}

/** @throws NlrcnnError ERR_NLRCNN_DATASET that names image and annotation. */
export async function readSample({ image, path, annotations, exif }: CocoRecord): Promise<Sample> {
  const { id, file_name: name, width, height } = image;
  const instances = annotations.map((annotation, i) => {
    try {
      return instanceOf(annotation, [height, width]);
    } catch (cause) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `Annotation ${annotation.id ?? `number ${i}`} of ${name}: ${(cause as Error).message}`,
        { cause },
      );
    }
  });
  return { id, name, image: path, width, height, instances, ...(exif && { exif }) };
}

function annotationFiles(data: string, split: string): string[] {
  const names = split ? [`instances_${split}.json`, `${split}.json`] : ['instances.json', 'annotations.json'];
  return [
    ...names.flatMap((name) => [join(data, 'annotations', name), join(data, name)]),
    join(data, split, '_annotations.coco.json'),
  ];
}

function imageFolder(data: string, split: string, file: string, { file_name: first }: ListedImage): string {
  const places = [join(data, split), join(data, 'images', split), join(data, 'images'), dirname(file), data];
  const folders = [...new Set(places.map((folder) => resolve(folder)))];
  const found = folders.find((folder) => existsSync(imagePath(folder, first)));
  if (found !== undefined) return found;
  throw new NlrcnnError(
    'ERR_NLRCNN_IO',
    `Expected the images of ${file} in ${folders.join(' or ')} but none has ${first}`,
  );
}

/** Where an image is: an absolute name stays; backslashes part folders, as on Windows, unless a file is called so. */
function imagePath(folder: string, name: string): string {
  const path = resolve(folder, name);
  return name.includes('\\') && !existsSync(path) ? resolve(folder, name.replaceAll('\\', '/')) : path;
}

/** The annotations of each image by its id, with their labels and checked against its size. */
function groupAnnotations(
  file: string,
  { images, annotations, categories }: CocoFile,
  masks: 'required' | 'optional',
): Map<number | string, Labelled[]> {
  const labelOf = new Map(categories.map(({ id }, i) => [id, i + 1]));
  const listed = new Map(images.map((image) => [image.id, image as ListedImage]));
  const byImage = new Map<number | string, Labelled[]>(images.map(({ id }) => [id, []]));
  const outside = new Tally();
  for (const annotation of annotations) {
    const own: Labelled = { ...annotation, label: labelOf.get(annotation.category_id) ?? 0 };
    const path = `annotations[${own.index}]`;
    own.problem ??= problemOf(own, path, masks);
    if (own.problem === undefined && own.bbox && !showsIn(own.bbox, listed.get(own.image_id)!)) {
      outside.add(`${path}.bbox [${own.bbox}]`);
    }
    byImage.get(own.image_id)!.push(own);
  }
  warnOf(file, outside, 'boxes without area in their images; training goes by the mask, if any');
  return byImage;
}

function problemOf(annotation: Labelled, path: string, masks: 'required' | 'optional'): string | undefined {
  const { label, category_id, segmentation, bbox } = annotation;
  if (label === 0) return new ValueError(`${path}.category_id`, 'the id of a category', category_id).message;
  if (segmentation) return undefined;
  if (masks === 'required') {
    const { message } = new ValueError(`${path}.segmentation`, 'polygons or RLE', undefined);
    return `${message}: Mask R-CNN needs a mask of every object; boxes alone are enough for Faster R-CNN (model.architecture "fasterrcnn", or masks: 'optional' for openDataset)`;
  }
  return bbox ? undefined : new ValueError(path, 'a bbox or a segmentation', undefined).message;
}

/** Whether a box x, y, width, height has an area within the image. */
function showsIn(bbox: readonly number[], { width, height }: ListedImage): boolean {
  const [x, y, w, h] = bbox as [number, number, number, number];
  return w > 0 && h > 0 && x < width && y < height && x + w > 0 && y + h > 0;
}

function contentsOf(groups: Iterable<readonly Labelled[]>): Dataset['contents'] {
  let [objects, crowds, boxOnly, broken] = [0, 0, 0, 0];
  let firstBroken: string | undefined;
  for (const group of groups) {
    for (const { problem, iscrowd, segmentation } of group) {
      if (problem !== undefined) {
        broken++;
        firstBroken ??= problem;
        continue;
      }
      if (iscrowd) crowds++;
      else objects++;
      if (!segmentation) boxOnly++;
    }
  }
  return { objects, crowds, boxOnly, broken, firstBroken };
}

function instanceOf(annotation: Labelled, size: Rle['size']): Instance {
  const { label, index, bbox, area, iscrowd, segmentation, problem } = annotation;
  if (problem !== undefined) throw new NlrcnnError('ERR_NLRCNN_DATASET', problem);
  const mask = segmentation
    ? maskOf(segmentation, size, `annotations[${index}].segmentation`)
    : rleFromBbox(within(bbox!, size), size);
  const [x, y, w, h] = (bbox ?? rleToBbox(mask)) as [number, number, number, number];
  return {
    label,
    box: [x, y, x + w, y + h],
    mask,
    ...(!segmentation && { boxOnly: true }),
    crowd: iscrowd,
    area: area ?? (segmentation ? rleArea(mask) : w * h),
  };
}

/** What of a box x, y, width, height lies in an image of `size`. */
function within([x = 0, y = 0, w = 0, h = 0]: readonly number[], [height, width]: Rle['size']): number[] {
  const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
  const [right, bottom] = [Math.min(x + w, width), Math.min(y + h, height)];
  return left < right && top < bottom ? [left, top, right - left, bottom - top] : [0, 0, 0, 0];
}
