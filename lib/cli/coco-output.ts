import { join, resolve, sep } from 'node:path';
import { matchLabels, nameSome } from '../datasets/classes.js';
import { type CocoFile, type CocoImage, readCocoFile } from '../datasets/coco-file.js';
import { ImageNames } from '../datasets/image-names.js';
import { NlrcnnError } from '../errors.js';
import { fillWhole } from '../files/write-whole.js';
import { toCocoDataset, toCocoResults } from '../masks/coco-results.js';
import type { Segmentation } from '../model.js';
import type { ModelConfig } from '../models/model-config.js';
import { COCO_RESULTS } from './outputs.js';

/** An instances file, and which of its images each image of the command line is. */
export interface GroundTruthImages {
  file: string;
  categories: CocoFile['categories'];
  images: ReadonlyMap<string, CocoImage>;
}

/**
 * Reads the instances file of --gt and finds each of `images` in it by its path.
 * @throws NlrcnnError ERR_NLRCNN_IO, and ERR_NLRCNN_DATASET for a file of another form and for images that it does not list, or
 * lists several of alike.
 */
export async function findInGroundTruth(file: string, images: readonly string[]): Promise<GroundTruthImages> {
  const truth = await readCocoFile(file, { images: ['file_name'] });
  const names = new ImageNames(truth.images, file);
  const found = new Map(images.map((image) => [image, names.find(resolve(image))]));
  const owners = new Map<CocoImage['id'], string>();
  for (const [image, { id, file_name: name }] of found) {
    const other = owners.get(id);
    if (other !== undefined && resolve(other) !== resolve(image)) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `Expected distinct images of ${file} but ${other} and ${image} are both ${name} (id ${id})`,
      );
    }
    owners.set(id, image);
  }
  return { file, categories: truth.categories, images: found };
}

/**
 * The category id of each label of the model in an instances file, by name; and what the user should know, a line each.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where they share no class.
 */
export function categoriesOf(
  { file, categories }: Pick<GroundTruthImages, 'file' | 'categories'>,
  model: Pick<ModelConfig, 'class_names' | 'num_classes'>,
): { categoryOf: (labelId: number) => number | undefined; notes: string[] } {
  const classes = categories.toSorted((a, b) => a.id - b.id);
  const data = {
    classNames: ['background', ...classes.map(({ name }) => name)],
    categoryIds: [0, ...classes.map(({ id }) => id)],
  };
  const { labels, missing, unused, note } = matchLabels(data, model, file);
  const ids = new Map(classes.map(({ id }, i) => [labels[i + 1]!, id]));
  ids.delete(-1);
  if (ids.size === 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected classes of ${file} (${nameSome(missing)}) but the model has ${nameSome(unused)}`,
    );
  }
  const notes = note === undefined ? [] : [note];
  if (unused.length > 0) notes.push(`${file} has no ${nameSome(unused)}: left out of the COCO results`);
  if (missing.length > 0) notes.push(`the model has no ${nameSome(missing)} of ${file}`);
  return { categoryOf: (labelId) => ids.get(labelId), notes };
}

/** Names of images in a data set: their paths below the folder that has them all. */
export function fileNames(images: readonly string[]): string[] {
  const paths = images.map((image) => resolve(image).split(sep));
  const [first = []] = paths;
  let depth = 0;
  while (
    depth < first.length - 1 &&
    paths.every((parts) => parts.length - 1 > depth && parts[depth] === first[depth])
  )
    depth++;
  return paths.map((parts) => parts.slice(depth).join('/'));
}

/** What the COCO file of a run is made from. */
export interface CocoRun {
  model: Pick<ModelConfig, 'class_names'>;
  /** Each image that was segmented. */
  results: readonly (readonly [image: string, result: Segmentation])[];
  truth?:
    | { images: GroundTruthImages['images']; categoryOf: (labelId: number) => number | undefined }
    | undefined;
}

/** Entries to a part of the text: a run of many images makes more text than a string can hold. */
const PART = 1000;

/** The text of the COCO file, in parts: COCO's results list with the ground truth's ids, without it a whole data set. */
export function* cocoText({ model, results, truth }: CocoRun): Generator<string> {
  // An image that was named twice is one image.
  const distinct = [...new Map(results.map((one) => [resolve(one[0]), one])).values()];
  if (truth) {
    const { images, categoryOf } = truth;
    yield* listText(
      distinct.flatMap(([image, result]) => toCocoResults(result, images.get(image)!.id, categoryOf)),
    );
    yield '\n';
    return;
  }
  const names = fileNames(distinct.map(([image]) => image));
  const named = distinct.map(([, result], i) => ({ name: names[i]!, result }));
  const { annotations, ...rest } = toCocoDataset(named, model.class_names);
  yield `${JSON.stringify(rest).slice(0, -1)},"annotations":`;
  yield* listText(annotations);
  yield '}\n';
}

function* listText(entries: readonly unknown[]): Generator<string> {
  yield '[';
  for (let i = 0; i < entries.length; i += PART) {
    const part = JSON.stringify(entries.slice(i, i + PART)).slice(1, -1);
    yield i > 0 ? `,${part}` : part;
  }
  yield ']';
}

/** Images whose size is not what the ground truth says, a line each: their masks cannot be scored. */
export function sizeNotes({ results, truth }: CocoRun): string[] {
  return results.flatMap(([image, { width, height }]) => {
    const listed = truth?.images.get(image);
    if (!listed?.width || !listed.height) return [];
    if (listed.width === width && listed.height === height) return [];
    return [`${image} is ${width}×${height} but the ground truth says ${listed.width}×${listed.height}`];
  });
}

/** Writes `coco-results.json` and gives its path. @throws NlrcnnError ERR_NLRCNN_IO */
export async function writeCoco(out: string, run: CocoRun): Promise<string> {
  const path = join(out, COCO_RESULTS);
  await fillWhole(path, async (file) => {
    for (const part of cocoText(run)) await file.writeFile(part); // goes on where the last one ended
  });
  return path;
}
