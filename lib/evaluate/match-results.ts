import { matchClasses, nameSome } from '../datasets/classes.js';
import type { CocoFile, CocoImage } from '../datasets/coco-file.js';
import { ImageNames } from '../datasets/image-names.js';
import { NlrcnnError } from '../errors.js';
import { idKey } from '../json/values.js';
import type { ResultEntry, ResultsFile } from './results-file.js';

/** Of both files, for messages. */
interface Names {
  truth: string;
  results: string;
}

/**
 * Detections with the ids of the ground truth: categories matched by name and images by file name where the results file has these,
 * else by id. What the ground truth has no category for is left out and named in `notes`.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where all classes differ, a name is there twice, or an image is not in the ground truth.
 */
export function matchResults(
  truth: CocoFile,
  { detections, images, categories }: ResultsFile,
  names: Names,
): { detections: ResultEntry[]; notes: string[] } {
  const notes: string[] = [];
  const known = new Set(truth.categories.map(({ id }) => id));
  const categoryOf = categories && matchCategories(truth, categories, names, notes);
  const imageOf = images && matchImages(truth, images, names);
  const unknown = new Map<number, number>();
  const matched = detections.flatMap((entry, i) => {
    const own = entry.category_id;
    const category = categoryOf ? categoryOf.get(own) : known.has(own) ? own : -1;
    if (category === undefined) throw notListed(i, 'categories', own, names.results);
    if (category < 0) {
      unknown.set(own, (unknown.get(own) ?? 0) + 1);
      return [];
    }
    const image = imageOf ? imageOf(entry.image_id, i) : entry.image_id;
    const same = category === own && image === entry.image_id;
    return [same ? entry : { ...entry, category_id: category, image_id: image }];
  });
  if (!categoryOf && unknown.size > 0) {
    const count = [...unknown.values()].reduce((a, b) => a + b, 0);
    const ids = nameSome([...unknown.keys()].map(String));
    notes.push(
      `${names.truth} has no category of id ${ids}: ${count} detections of ${names.results} are not scored`,
    );
  }
  return { detections: matched, notes };
}

/** The ground truth's category id of each of the results'; -1: it has none. */
function matchCategories(
  truth: CocoFile,
  categories: CocoFile['categories'],
  names: Names,
  notes: string[],
): Map<number, number> {
  const of = (list: CocoFile['categories']) => list.map(({ name }) => name);
  const { places, missing, unused } = matchClasses(
    { owner: names.results, names: of(categories) },
    { owner: names.truth, names: of(truth.categories) },
  );
  if (categories.length > 0 && places.every((place) => place < 0)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected classes of ${names.truth} (${nameSome(of(truth.categories))}) but ${names.results} has ${nameSome(missing)}`,
    );
  }
  if (missing.length > 0) notes.push(`${names.truth} has no ${nameSome(missing)}: not scored`);
  if (unused.length > 0)
    notes.push(`${names.results} has no ${nameSome(unused)}: all their objects are missed`);
  return new Map(categories.map(({ id }, i) => [id, places[i]! < 0 ? -1 : truth.categories[places[i]!]!.id]));
}

/** The ground truth's image id of an image of the results, by file name where the ground truth has them. */
function matchImages(
  truth: CocoFile,
  images: readonly CocoImage[],
  names: Names,
): (id: CocoImage['id'], detection: number) => CocoImage['id'] {
  const own = new Map(images.map((image) => [idKey(image.id), image]));
  const theirs = new Map(truth.images.map((image) => [idKey(image.id), image]));
  const listed = new ImageNames(truth.images, names.truth);
  const named = truth.images.some((image) => typeof image.file_name === 'string');
  const found = new Map<CocoImage['id'], CocoImage['id']>();
  const taken = new Map<CocoImage['id'], string>();
  const find = (image: CocoImage): CocoImage['id'] => {
    const { id, file_name: name } = image;
    if (!named || typeof name !== 'string') return id;
    const same = theirs.get(idKey(id));
    const match = same?.file_name === name ? same.id : listed.find(name).id;
    const other = taken.get(match);
    if (other !== undefined) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `Expected distinct images of ${names.truth} but ${other} and ${name} of ${names.results} are both image ${match}`,
      );
    }
    taken.set(match, name);
    return match;
  };
  return (id, detection) => {
    const before = found.get(idKey(id));
    if (before !== undefined) return before;
    const image = own.get(idKey(id));
    if (!image) throw notListed(detection, 'images', id, names.results);
    const match = find(image);
    found.set(idKey(id), match);
    return match;
  };
}

const notListed = (detection: number, what: string, id: number | string, file: string) =>
  new NlrcnnError(
    'ERR_NLRCNN_DATASET',
    `Detection ${detection} of ${file}: expected an id of its own ${what} but received ${id}`,
  );
