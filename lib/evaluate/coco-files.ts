import {
  type CocoAnnotation,
  type CocoCategory,
  type CocoFile,
  type CocoImage,
  List,
  readCategory,
  readCocoFile,
  readImage,
  warnOf,
} from '../datasets/coco-file.js';
import { maskOf } from '../datasets/segmentation.js';
import { NlrcnnError } from '../errors.js';
import { readJsonLists } from '../json/read.js';
import { Tally } from '../json/tally.js';
import { Fields, idKey, toNumbers, ValueError } from '../json/values.js';
import { type Rle, rleArea, rleToBbox } from '../masks/rle.js';
import { type CocoEvaluation, type CocoFound, type CocoPicture, evaluateCoco } from './coco.js';

/** A detection of a COCO results file. */
export interface ResultEntry {
  image_id: number | string;
  category_id: number;
  score: number;
  /** x, y, width, height */
  bbox?: number[] | undefined;
  /** As in the file; `maskOf` reads it. */
  segmentation?: unknown;
}

/**
 * Scores a COCO results file against an instances file as pycocotools does, over all its pictures and categories.
 * @throws NlrcnnError ERR_NLRCNN_IO for missing files, ERR_NLRCNN_DATASET for files that are not of this form and for
 * detections in pictures that the ground truth does not list.
 */
export async function evaluateCocoFiles(
  groundTruth: string,
  results: string,
  type: 'segm' | 'bbox',
): Promise<CocoEvaluation & { categories: Map<number, string> }> {
  const { pictures, categories } = await readCocoFiles(groundTruth, results, type);
  return { ...evaluateCoco(pictures, [...categories.keys()], type), categories };
}

/** What the two files say of each picture, and the categories' names by rising id. */
export async function readCocoFiles(
  groundTruth: string,
  results: string,
  type: 'segm' | 'bbox',
): Promise<{ pictures: CocoPicture[]; categories: Map<number, string> }> {
  const truth = await readCocoFile(groundTruth);
  const { detections: found } = await readCocoResults(results);
  const classes = truth.categories.toSorted((a, b) => a.id - b.id);
  return {
    pictures: picturesOf(truth, groundTruth, found, results, type),
    categories: new Map(classes.map(({ id, name }) => [id, name])),
  };
}

/** COCO's list of detections, or a data set of annotations that have scores, with images and categories of its own. */
export interface ResultsFile {
  detections: ResultEntry[];
  /** Undefined where there are none. */
  images?: CocoImage[] | undefined;
  categories?: CocoCategory[] | undefined;
}

/**
 * Reads a COCO results file of any size.
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_DATASET with the path of the value that is not right.
 */
export async function readCocoResults(file: string): Promise<ResultsFile> {
  const root = new List((value, index) => readDetection(new Fields(value, 'detections', index)));
  const annotations = new List((value, index) => readDetection(new Fields(value, 'annotations', index)));
  const images = new List((value, index) => readImage(new Fields(value, 'images', index)));
  const unnamed = new Tally();
  const categories = new List((value, index) =>
    readCategory(new Fields(value, 'categories', index), unnamed),
  );
  await readJsonLists(file, 'COCO results', { lists: { annotations, images, categories }, root });
  if (!root.begun && !annotations.begun) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected COCO results in ${file} but it is no list of detections and has no annotations`,
    );
  }
  const some = <T>({ items }: List<T>) => (items.length > 0 ? items : undefined);
  return {
    detections: root.begun ? root.items : annotations.items,
    images: some(images),
    categories: unnamed.count === 0 ? some(categories) : undefined,
  };
}

function readDetection(fields: Fields): ResultEntry {
  return {
    image_id: fields.id('image_id'),
    category_id: fields.integer('category_id'),
    score: fields.number('score'),
    bbox: boxOf(fields),
    segmentation: fields.get('segmentation'),
  };
}

/** x, y, width, height; undefined where there is none. */
function boxOf(fields: Fields): number[] | undefined {
  const value = fields.get('bbox');
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
  if (!Array.isArray(value) || value.length !== 4) throw fields.fail('bbox', 'four numbers');
  return toNumbers(value, fields.path('bbox'));
}

interface Listed {
  /** Undefined where the file does not say it. */
  size: Rle['size'] | undefined;
  index: number;
  truths: CocoPicture['truths'][number][];
  found: CocoFound[];
}

function picturesOf(
  truth: CocoFile,
  groundTruth: string,
  results: readonly ResultEntry[],
  file: string,
  type: 'segm' | 'bbox',
): CocoPicture[] {
  const sorted = [...truth.images.entries()].sort(([, a], [, b]) => (a.id < b.id ? -1 : 1));
  const pictures = new Map(
    sorted.map(([index, { id, width, height }]): [number | string, Listed] => [
      idKey(id),
      {
        size: width !== undefined && height !== undefined ? [height, width] : undefined,
        index,
        truths: [],
        found: [],
      },
    ]),
  );
  const known = new Set(truth.categories.map(({ id }) => id));
  const unknown = new Tally();
  const within = (where: string, read: () => void) => {
    try {
      read();
    } catch (cause) {
      throw new NlrcnnError('ERR_NLRCNN_DATASET', `${where}: ${(cause as Error).message}`, { cause });
    }
  };
  for (const annotation of truth.annotations) {
    const { id, index, image_id, category_id } = annotation;
    if (!known.has(category_id)) unknown.add(`annotations[${index}].category_id ${category_id}`);
    const picture = pictures.get(idKey(image_id))!;
    within(`Annotation ${id ?? `number ${index}`} of picture ${image_id}`, () => {
      picture.truths.push(truthOf(annotation, picture, type));
    });
  }
  warnOf(groundTruth, unknown, 'annotations that do not count, as their categories are not listed');
  for (const [i, entry] of results.entries()) {
    const picture = pictures.get(idKey(entry.image_id));
    within(`Detection ${i} of ${file}`, () => {
      if (!picture)
        throw new ValueError(
          `detections[${i}].image_id`,
          'the id of a picture of the ground truth',
          entry.image_id,
        );
      picture.found.push(foundOf(entry, picture, type, `detections[${i}].segmentation`));
    });
  }
  return [...pictures.values()];
}

/** The size of an image whose masks are wanted. */
function sizeOf({ size, index }: Listed): Rle['size'] {
  if (size) return size;
  throw new ValueError(`images[${index}]`, 'width and height, as masks need them,', undefined);
}

function truthOf(
  annotation: CocoAnnotation,
  picture: Listed,
  type: 'segm' | 'bbox',
): CocoPicture['truths'][number] {
  const { index, category_id: category, iscrowd: crowd, segmentation } = annotation;
  const read = () => maskOf(segmentation, sizeOf(picture), `annotations[${index}].segmentation`);
  const mask = type === 'segm' ? read() : undefined;
  const bbox = annotation.bbox ?? rleToBbox(mask ?? read());
  const area = annotation.area ?? (mask ? rleArea(mask) : bbox[2]! * bbox[3]!);
  return { category, bbox, area, crowd, mask };
}

function foundOf(entry: ResultEntry, picture: Listed, type: 'segm' | 'bbox', path: string): CocoFound {
  const { category_id: category, score, bbox, segmentation } = entry;
  if (type === 'segm') {
    const mask = maskOf(segmentation, sizeOf(picture), path);
    return { category, score, bbox: bbox ?? [], area: rleArea(mask), mask };
  }
  // As pycocotools: the box of the mask where the file has none.
  const box = bbox ?? rleToBbox(maskOf(segmentation, sizeOf(picture), path));
  return { category, score, bbox: box, area: box[2]! * box[3]! };
}
