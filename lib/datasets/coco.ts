import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { type Rle, rleArea, rleFromPolygons, rleToBbox } from '../masks/rle.js';
import { checkCounts, compressCounts, decompressCounts } from '../masks/runs.js';
import type { Dataset, Instance, Sample } from './dataset.js';
import { firstExisting, readText } from './files.js';
import { datasetOf } from './records.js';

export interface CocoOptions {
  /** With annotations and pictures. */
  data: string;
  split?: string | undefined;
  /** The JSON file, in `data` or absolute; default: see `openCoco`. */
  annotations?: string | undefined;
  /** Folder of the pictures, in `data` or absolute; default: see `openCoco`. */
  images?: string | undefined;
}

export interface CocoImage {
  id: number | string;
  file_name: string;
  width: number;
  height: number;
}

export interface CocoAnnotation {
  id?: number | string;
  image_id: number | string;
  category_id: number;
  bbox?: number[];
  area?: number;
  iscrowd?: number;
  segmentation?: number[][] | { size: [number, number]; counts: string | number[] };
}

interface CocoRecord {
  image: CocoImage;
  path: string;
  annotations: (CocoAnnotation & { label: number | undefined })[];
}

/**
 * COCO's instances JSON: polygons, RLE (compressed or not), crowds. Labels are 1, 2, … by rising category id. Annotations are
 * `instances_SPLIT.json`, `SPLIT.json` (in `data/annotations` or `data`) or `data/SPLIT/_annotations.coco.json`; pictures are
 * in `data/SPLIT`, `data/images/SPLIT`, `data/images`, beside the annotations or in `data`, whichever has the first of them.
 * Annotations of pictures that are not listed are ignored.
 * @throws NlrcnnError ERR_NLRCNN_IO for missing files, ERR_NLRCNN_DATASET for a file that is not of this form.
 */
export async function openCoco(options: CocoOptions): Promise<Dataset> {
  const { split = '' } = options;
  const data = resolve(options.data);
  const file = options.annotations
    ? resolve(data, options.annotations)
    : firstExisting('annotations', annotationFiles(data, split));
  const { images, annotations, categories } = parseCocoFile(await readText(file), file);
  const folder = options.images ? resolve(data, options.images) : imageFolder(data, split, file, images[0]!);
  const classes = [...categories].sort((a, b) => a.id - b.id);
  const labelOf = new Map(classes.map(({ id }, i) => [id, i + 1]));
  const byImage = new Map<number | string, CocoAnnotation[]>(images.map(({ id }) => [id, []]));
  for (const annotation of annotations) byImage.get(annotation.image_id)?.push(annotation);
  return datasetOf({
    classNames: ['background', ...classes.map(({ name }) => name)],
    categoryIds: [0, ...classes.map(({ id }) => id)],
    length: images.length,
    record: (index): CocoRecord => {
      const image = images[index]!;
      return {
        image,
        path: join(folder, image.file_name),
        annotations: byImage
          .get(image.id)!
          .map((annotation) => ({ ...annotation, label: labelOf.get(annotation.category_id) })),
      };
    },
    readSample,
    module: __filename,
  });
}

/** @throws NlrcnnError ERR_NLRCNN_DATASET that names picture and annotation. */
export async function readSample({ image, path, annotations }: CocoRecord): Promise<Sample> {
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
  return { id, name, image: path, width, height, instances };
}

function annotationFiles(data: string, split: string): string[] {
  const names = split ? [`instances_${split}.json`, `${split}.json`] : ['instances.json', 'annotations.json'];
  return [
    ...names.flatMap((name) => [join(data, 'annotations', name), join(data, name)]),
    join(data, split, '_annotations.coco.json'),
  ];
}

function imageFolder(data: string, split: string, file: string, first: CocoImage): string {
  const folders = [join(data, split), join(data, 'images', split), join(data, 'images'), dirname(file), data];
  const found = folders.find((folder) => existsSync(join(folder, first.file_name)));
  if (found !== undefined) return found;
  throw new NlrcnnError(
    'ERR_NLRCNN_IO',
    `Expected the pictures of ${file} in ${folders.join(' or ')} but none has ${first.file_name}`,
  );
}

export interface CocoFile {
  images: CocoImage[];
  annotations: CocoAnnotation[];
  categories: { id: number; name: string }[];
}

/** Of an image, beside its id, what a use of the file needs. */
export interface CocoNeeds {
  fileNames: boolean;
  sizes: boolean;
}

/** Reads an instances file; throws where it is not of this form, or lacks what is needed. */
export function parseCocoFile(
  text: string,
  file: string,
  needs: CocoNeeds = { fileNames: true, sizes: true },
): CocoFile {
  const fail = (why: string, cause?: unknown) =>
    new NlrcnnError('ERR_NLRCNN_DATASET', `Expected COCO instances in ${file} but ${why}`, { cause });
  let value: Partial<CocoFile> | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(`it is no JSON (${(cause as Error).message})`, cause);
  }
  for (const key of ['images', 'annotations', 'categories'] as const) {
    if (!Array.isArray(value?.[key])) throw fail(`it has no list of ${key}`);
  }
  const { images, annotations, categories } = value as CocoFile;
  if (images.length === 0) throw fail('it lists no images');
  const seen = new Set<number | string>();
  for (const { id, file_name, width, height } of images) {
    if (seen.has(id)) throw fail(`image id ${id} is there twice`);
    seen.add(id);
    if (needs.fileNames && typeof file_name !== 'string') throw fail(`image ${id} has no file_name`);
    if (needs.sizes && ![width, height].every((side) => Number.isInteger(side) && side > 0)) {
      throw fail(`image ${id} has no width and height`);
    }
  }
  const ids = categories.map(({ id }) => id);
  const odd = ids.find((id, i) => !Number.isInteger(id) || ids.indexOf(id) !== i);
  if (odd !== undefined) throw fail(`category id ${odd} is no integer or there twice`);
  return { images, annotations, categories };
}

function instanceOf(annotation: CocoRecord['annotations'][number], size: Rle['size']): Instance {
  const { label, category_id, bbox, area, iscrowd, segmentation } = annotation;
  if (label === undefined) throw expected('the id of a category', 'category_id', category_id);
  const mask = maskOf(segmentation, size);
  if (bbox !== undefined && !numbers(bbox, 4)) throw expected('four numbers', 'bbox', bbox);
  const [x, y, w, h] = (bbox ?? rleToBbox(mask)) as [number, number, number, number];
  return {
    label,
    box: [x, y, x + w, y + h],
    mask,
    crowd: Boolean(iscrowd),
    area: area ?? rleArea(mask),
  };
}

/** The mask of a COCO segmentation of a picture of `size`; throws where it is none. */
export function maskOf(segmentation: CocoAnnotation['segmentation'], size: Rle['size']): Rle {
  if (Array.isArray(segmentation)) {
    for (const polygon of segmentation) {
      if (!numbers(polygon) || polygon.length < 6 || polygon.length % 2 !== 0) {
        throw expected('polygons of x, y of three or more corners', 'segmentation', polygon);
      }
    }
    if (segmentation.length > 0) return rleFromPolygons(segmentation, size);
  } else if (typeof segmentation === 'object' && segmentation !== null) {
    const { size: own, counts } = segmentation;
    if (!numbers(own, 2) || own[0] !== size[0] || own[1] !== size[1]) {
      throw expected(`size [${size.join(', ')}] of the picture`, 'segmentation', own);
    }
    if (typeof counts === 'string') decompressCounts({ size, counts });
    else if (numbers(counts)) checkCounts(counts, size);
    else throw expected('run lengths', 'segmentation.counts', counts);
    return { size: [...size], counts: typeof counts === 'string' ? counts : compressCounts(counts) };
  }
  throw expected('polygons or RLE', 'segmentation', segmentation);
}

const numbers = (value: unknown, length?: number): value is number[] =>
  Array.isArray(value) && value.every(Number.isFinite) && (length ?? value.length) === value.length;

function expected(what: string, name: string, value: unknown): NlrcnnError {
  const received = JSON.stringify(value)?.slice(0, 80) ?? 'none';
  return new NlrcnnError('ERR_NLRCNN_DATASET', `Expected ${what} for ${name} but received ${received}`);
}
