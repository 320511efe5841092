import { checkText } from '../arguments.js';
import { type CocoAnnotation, type CocoFile, readCocoFile, warnOf } from '../datasets/coco-file.js';
import { maskOf } from '../datasets/segmentation.js';
import { invalidArgument, NlrcnnError } from '../errors.js';
import { Tally } from '../json/tally.js';
import { idKey, ValueError } from '../json/values.js';
import { type Rle, rleArea, rleToBbox } from '../masks/rle.js';
import { type CocoEvaluation, type CocoFound, type CocoPicture, evaluateCoco } from './coco.js';
import { matchResults } from './match-results.js';
import { type ResultEntry, readCocoResults } from './results-file.js';

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
  checkText(groundTruth, "a file's path", 'groundTruth');
  checkText(results, "a file's path", 'results');
  if (type !== 'segm' && type !== 'bbox') throw invalidArgument('segm or bbox', 'type', type);
  const truth = await readCocoFile(groundTruth);
  const given = await readCocoResults(results);
  const { detections, notes } = matchResults(truth, given, { truth: groundTruth, results });
  const classes = truth.categories.toSorted((a, b) => a.id - b.id);
  return {
    pictures: picturesOf(truth, groundTruth, detections, results, type),
    categories: new Map(classes.map(({ id, name }) => [id, name])),
    notes,
  };
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
