import { type CocoFile, type CocoImage, maskOf, parseCocoFile } from '../datasets/coco.js';
import { readText } from '../datasets/files.js';
import { NlrcnnError } from '../errors.js';
import { type Rle, rleArea, rleToBbox } from '../masks/rle.js';
import { type CocoEvaluation, type CocoFound, type CocoPicture, evaluateCoco } from './coco.js';
import { matchResults, type ResultEntry, type ResultsFile } from './match-results.js';

/** What is said of an evaluation of files. */
export interface CocoFilesEvaluation extends CocoEvaluation {
  /** Names of the ground truth's categories, by rising id. */
  categories: Map<number, string>;
  /** What was not scored, a line each. */
  notes: string[];
}

/**
 * Scores a COCO results file against an instances file as pycocotools does, over all its pictures and categories. Results are
 * COCO's list of detections, or a data set whose annotations have scores: its categories are matched by name, its images by
 * file name. The ground truth's images need no `file_name`, and a size only where masks are compared.
 * @throws NlrcnnError ERR_NLRCNN_IO for missing files, ERR_NLRCNN_DATASET for files that are not of this form and for
 * detections in pictures that the ground truth does not list.
 */
export async function evaluateCocoFiles(
  groundTruth: string,
  results: string,
  type: 'segm' | 'bbox',
): Promise<CocoFilesEvaluation> {
  const { pictures, categories, notes } = await readCocoFiles(groundTruth, results, type);
  return { ...evaluateCoco(pictures, [...categories.keys()], type), categories, notes };
}

/** What the two files say of each picture, and the categories' names by rising id. */
export async function readCocoFiles(
  groundTruth: string,
  results: string,
  type: 'segm' | 'bbox',
): Promise<{ pictures: CocoPicture[]; categories: Map<number, string>; notes: string[] }> {
  const truth = parseCocoFile(await readText(groundTruth), groundTruth, { fileNames: false, sizes: false });
  const given = parseResults(await readText(results), results);
  const { detections, notes } = matchResults(truth, given, { truth: groundTruth, results });
  const classes = truth.categories.toSorted((a, b) => a.id - b.id);
  return {
    pictures: picturesOf(truth, detections, results, type),
    categories: new Map(classes.map(({ id, name }) => [id, name])),
    notes,
  };
}

function parseResults(text: string, file: string): ResultsFile {
  const fail = (why: string) =>
    new NlrcnnError('ERR_NLRCNN_DATASET', `Expected COCO results in ${file} but ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(`it is no JSON (${(cause as Error).message})`);
  }
  const { annotations, images, categories } = (value ?? {}) as Record<string, unknown>;
  const detections = Array.isArray(value) ? value : annotations;
  if (!Array.isArray(detections)) throw fail('it is no list of detections and has no annotations');
  for (const [i, entry] of detections.entries()) {
    const { image_id, category_id, score } = (entry ?? {}) as Partial<ResultEntry>;
    if (image_id === undefined || !Number.isInteger(category_id) || !Number.isFinite(score)) {
      throw fail(`detection ${i} lacks image_id, category_id or score`);
    }
  }
  const listed = (list: unknown) => (Array.isArray(list) && list.length > 0 ? list : undefined);
  const named = listed(categories)?.every(({ id, name }) => Number.isInteger(id) && typeof name === 'string');
  return { detections, images: listed(images), categories: named ? listed(categories) : undefined };
}

function picturesOf(
  truth: CocoFile,
  results: readonly ResultEntry[],
  file: string,
  type: 'segm' | 'bbox',
): CocoPicture[] {
  const sorted = truth.images.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const pictures = new Map(
    sorted.map(({ id, width, height }) => [
      id,
      {
        size: sizeOf({ id, width, height }),
        truths: [] as CocoPicture['truths'][number][],
        found: [] as CocoFound[],
      },
    ]),
  );
  for (const annotation of truth.annotations) {
    const picture = pictures.get(annotation.image_id);
    if (!picture) continue;
    const { category_id: category, iscrowd } = annotation;
    try {
      const mask = type === 'segm' ? maskOf(annotation.segmentation, picture.size()) : undefined;
      const bbox = annotation.bbox ?? rleToBbox(mask ?? maskOf(annotation.segmentation, picture.size()));
      const area = annotation.area ?? (mask ? rleArea(mask) : bbox[2]! * bbox[3]!);
      picture.truths.push({ category, bbox, area, crowd: Boolean(iscrowd), mask });
    } catch (cause) {
      const what = `Annotation ${annotation.id} of picture ${annotation.image_id}`;
      throw new NlrcnnError('ERR_NLRCNN_DATASET', `${what}: ${(cause as Error).message}`, { cause });
    }
  }
  for (const [i, entry] of results.entries()) {
    const picture = pictures.get(entry.image_id);
    const where = `Detection ${i} of ${file}`;
    if (!picture) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `${where}: expected the id of a picture of the ground truth but received ${entry.image_id}`,
      );
    }
    try {
      picture.found.push(foundOf(entry, picture.size, type));
    } catch (cause) {
      throw new NlrcnnError('ERR_NLRCNN_DATASET', `${where}: ${(cause as Error).message}`, { cause });
    }
  }
  return [...pictures.values()];
}

/** Height and width, which boxes alone do not need. */
const sizeOf =
  ({ id, width, height }: Pick<CocoImage, 'id' | 'width' | 'height'>) =>
  (): Rle['size'] => {
    if ([width, height].every((side) => Number.isInteger(side) && side > 0)) return [height, width];
    throw new Error(`expected width and height of image ${id}`);
  };

function foundOf(entry: ResultEntry, size: () => Rle['size'], type: 'segm' | 'bbox'): CocoFound {
  const { category_id: category, score, bbox, segmentation } = entry;
  if (type === 'segm') {
    const mask = maskOf(segmentation, size());
    return { category, score, bbox: bbox ?? [], area: rleArea(mask), mask };
  }
  // As pycocotools: the box of the mask where the file has none.
  const box = bbox ?? rleToBbox(maskOf(segmentation, size()));
  if (box.length !== 4 || !box.every(Number.isFinite)) throw new Error('expected four numbers for bbox');
  return { category, score, bbox: box, area: box[2]! * box[3]! };
}
