import { NlrcnnError } from '../errors.js';
import { readJsonLists } from '../json/read.js';
import type { ListSink } from '../json/splitter.js';
import { Tally } from '../json/tally.js';
import { Fields, idKey, toNumbers, ValueError } from '../json/values.js';
import { warnOnce } from '../warnings.js';
import { readSegmentation, type Segmentation } from './segmentation.js';

/** An image of an instances file; what the reader was not asked for may be missing. */
export interface CocoImage {
  /** As in the file; `idKey` tells which ids are the same. */
  id: number | string;
  file_name?: string | undefined;
  width?: number | undefined;
  height?: number | undefined;
}

export interface CocoAnnotation {
  id?: number | string | undefined;
  /** Place in the file's list. */
  index: number;
  /** The `id` of an image of the file, written as there. */
  image_id: number | string;
  category_id: number;
  /** x, y, width, height; undefined where there is none. */
  bbox?: number[] | undefined;
  area?: number | undefined;
  iscrowd: boolean;
  segmentation?: Segmentation | undefined;
  /** Why it cannot be used; then of the rest only id, index and image_id are right. */
  problem?: string | undefined;
}

export interface CocoCategory {
  id: number;
  /** The id where the file has none. */
  name: string;
}

export interface CocoFile {
  images: CocoImage[];
  /** Those whose image is listed. */
  annotations: CocoAnnotation[];
  categories: CocoCategory[];
}

export interface CocoReadOptions {
  /** What an image must have beside its id. */
  images?: readonly ('file_name' | 'size')[] | undefined;
  /**
   * `throw`: any annotation that is not right makes the file unusable. `keep`: it gets a `problem`, for its image to be
   * refused when it is read; boxes must have a width and height from 0, and an area that is no such number counts as absent.
   */
  annotations?: 'throw' | 'keep' | undefined;
}

/** What is taken otherwise than the file says it, or left out. */
interface Notes {
  strays: Tally;
  areas: Tally;
  lost: Tally;
  unnamed: Tally;
}

/**
 * Reads a COCO instances file of any size. Values that are meant beyond doubt are taken ("12" for 12, true for 1), keys that are
 * not needed are dropped. Annotations of images that are not listed are left out, with a warning.
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_DATASET with the path of the value that is not right.
 */
export async function readCocoFile(file: string, options: CocoReadOptions = {}): Promise<CocoFile> {
  const notes: Notes = {
    strays: new Tally(),
    areas: new Tally(),
    lost: new Tally(),
    unnamed: new Tally(),
  };
  const images = new List((value, index) => readImage(new Fields(value, 'images', index), options));
  const categories = new List((value, index) =>
    readCategory(new Fields(value, 'categories', index), notes.unnamed),
  );
  const annotations = new List((value, index) => readAnnotation(value, index, options, notes));
  const lists = { images, annotations, categories };
  await readJsonLists(file, 'COCO instances', { lists });
  const fail = (why: string) =>
    new NlrcnnError('ERR_NLRCNN_DATASET', `Expected COCO instances in ${file} but ${why}`);
  for (const [name, { begun }] of Object.entries(lists)) if (!begun) throw fail(`it has no list of ${name}`);
  if (images.items.length === 0) throw fail('it lists no images');
  const known = unique('image', images.items, 'images', fail);
  unique('category', categories.items, 'categories', fail);
  const kept = annotations.items.filter((annotation) => {
    const { image_id, index } = annotation;
    const place = known.get(idKey(image_id));
    if (place === undefined) notes.lost.add(`annotations[${index}].image_id ${JSON.stringify(image_id)}`);
    else annotation.image_id = images.items[place]!.id;
    return place !== undefined;
  });
  if (kept.length === 0 && annotations.items.length > 0) {
    const first = JSON.stringify(images.items[0]!.id);
    throw fail(
      `none of its ${notes.lost.count} annotations is of an image that it lists (${notes.lost.names}; images[0].id is ${first})`,
    );
  }
  warn(file, notes);
  return { images: images.items, annotations: kept, categories: categories.items };
}

/** The entries of a list, each as `read` makes it. */
export class List<T> implements ListSink {
  items: T[] = [];
  begun = false;

  constructor(readonly read: (value: unknown, index: number) => T) {}

  begin(): void {
    this.items = [];
    this.begun = true;
  }

  entry(value: unknown, index: number): void {
    this.items.push(this.read(value, index));
  }
}

export function readImage(fields: Fields, { images: needed = [] }: CocoReadOptions = {}): CocoImage {
  const side = (key: string) => {
    if (!needed.includes('size') && fields.get(key) === undefined) return undefined;
    return fields.integer(key, 'a positive integer', 1);
  };
  return {
    id: fields.id('id'),
    file_name:
      needed.includes('file_name') || fields.get('file_name') !== undefined
        ? fields.text('file_name')
        : undefined,
    width: side('width'),
    height: side('height'),
  };
}

export function readCategory(fields: Fields, unnamed: Tally): CocoCategory {
  const id = fields.integer('id');
  const name = fields.get('name');
  if (typeof name === 'string' && name !== '') return { id, name };
  if (typeof name === 'number' && Number.isFinite(name)) return { id, name: String(name) };
  if (name !== undefined && name !== '') throw fields.fail('name', 'a string');
  unnamed.add(fields.path());
  return { id, name: String(id) };
}

function readAnnotation(
  value: unknown,
  index: number,
  { annotations: broken = 'throw' }: CocoReadOptions,
  notes: Notes,
): CocoAnnotation {
  const fields = new Fields(value, 'annotations', index);
  const image_id = fields.id('image_id');
  const keep = broken === 'keep';
  let id: number | string | undefined;
  try {
    if (fields.get('id') !== undefined) id = fields.id('id');
    const { segmentation, strays } = readSegmentation(
      fields.get('segmentation'),
      fields.path('segmentation'),
    );
    if (strays > 0) notes.strays.add(fields.path(), strays);
    return {
      id,
      index,
      image_id,
      category_id: fields.integer('category_id'),
      bbox: readBox(fields, keep),
      area: readArea(fields, keep, notes),
      iscrowd: fields.flag('iscrowd'),
      segmentation,
    };
  } catch (error) {
    if (!keep || !(error instanceof ValueError)) throw error;
    return { id, index, image_id, category_id: 0, iscrowd: false, problem: error.message };
  }
}

/** x, y, width, height; undefined where there is none. `sides`: that width and height are no less than 0. */
export function readBox(fields: Fields, sides: boolean): number[] | undefined {
  const value = fields.get('bbox');
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
  if (!Array.isArray(value) || value.length !== 4) throw fields.fail('bbox', 'four numbers');
  const box = toNumbers(value, fields.path('bbox'));
  if (sides && !(box[2]! >= 0 && box[3]! >= 0)) {
    throw fields.fail('bbox', 'x, y, width and height with sides of at least 0');
  }
  return box;
}

function readArea(fields: Fields, lenient: boolean, { areas }: Notes): number | undefined {
  const value = fields.get('area');
  if (value === undefined) return undefined;
  if (lenient && typeof value === 'number' && !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    areas.add(`${fields.path('area')} ${value}`);
    return undefined;
  }
  return fields.number('area');
}

/** @returns the keys of the ids. */
function unique(
  what: string,
  items: readonly { id: number | string }[],
  list: string,
  fail: (why: string) => Error,
): Map<number | string, number> {
  const places = new Map<number | string, number>();
  for (const [i, { id }] of items.entries()) {
    const before = places.get(idKey(id));
    if (before !== undefined) {
      throw fail(`${what} id ${id} is there twice (${list}[${before}].id and ${list}[${i}].id)`);
    }
    places.set(idKey(id), i);
  }
  return places;
}

function warn(file: string, { strays, areas, lost, unnamed }: Notes): void {
  warnOf(file, lost, 'annotations left out, as their images are not listed');
  warnOf(file, strays, 'polygons of one or two points left out');
  warnOf(file, areas, 'areas that are no sizes and count as absent');
  warnOf(file, unnamed, 'categories without a name, which go by their ids');
}

/** Warns of what was counted in a file, if anything. */
export function warnOf(file: string, { count, names }: Tally, what: string): void {
  if (count > 0) warnOnce('NLRCNN_ANNOTATIONS', `${file}: ${what}: ${count} (${names})`);
}
