import {
  type CocoCategory,
  type CocoImage,
  List,
  readBox,
  readCategory,
  readImage,
} from '../datasets/coco-file.js';
import { NlrcnnError } from '../errors.js';
import { readJsonLists } from '../json/read.js';
import { Tally } from '../json/tally.js';
import { Fields } from '../json/values.js';

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
    bbox: readBox(fields, false),
    segmentation: fields.get('segmentation'),
  };
}
