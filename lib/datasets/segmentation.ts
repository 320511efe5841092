import { NlrcnnError } from '../errors.js';
import { toNumber, toNumbers, ValueError } from '../json/values.js';
import { type Rle, rleFromPolygons } from '../masks/rle.js';
import { checkCounts, compressCounts, decompressCounts } from '../masks/runs.js';

/** A COCO segmentation: polygons x0, y0, x1, y1, … of three or more corners, or run lengths, compressed or not. */
export type Segmentation = number[][] | { size: [number, number]; counts: string | number[] };

export interface ReadSegmentation {
  /** Undefined where there is none: absent, null or an empty list. */
  segmentation: Segmentation | undefined;
  /** Polygons of one or two points that lay beside real ones. */
  strays: number;
}

const POLYGONS = 'polygons of x, y of three or more corners';

/**
 * A segmentation as a JSON file has it. Numbers may be strings; one polygon without a list around it and corners as pairs are
 * taken too. @throws ValueError for all else, with the value's path.
 */
export function readSegmentation(value: unknown, path: string): ReadSegmentation {
  if (Array.isArray(value)) return readPolygons(value, path);
  if (value === undefined || value === null) return { segmentation: undefined, strays: 0 };
  if (typeof value !== 'object') throw new ValueError(path, 'polygons or RLE', value);
  const { size, counts } = value as { size?: unknown; counts?: unknown };
  if (!Array.isArray(size) || size.length !== 2) throw new ValueError(`${path}.size`, 'two numbers', size);
  if (typeof counts !== 'string' && !Array.isArray(counts)) {
    throw new ValueError(`${path}.counts`, 'run lengths', counts);
  }
  const segmentation = {
    size: toNumbers(size, `${path}.size`) as [number, number],
    counts: typeof counts === 'string' ? counts : toNumbers(counts, `${path}.counts`),
  };
  return { segmentation, strays: 0 };
}

function readPolygons(list: readonly unknown[], path: string): ReadSegmentation {
  if (list.length > 0 && list.every((item) => toNumber(item) !== undefined)) {
    const polygon = toNumbers(list, path);
    if (polygon.length < 6 || polygon.length % 2 !== 0) throw new ValueError(path, POLYGONS, list);
    return { segmentation: [polygon], strays: 0 };
  }
  const all = list.map((polygon, i) => readPolygon(polygon, `${path}[${i}]`));
  const good = all.filter(({ length }) => length >= 6);
  const empty = all.every(({ length }) => length === 0);
  if (good.length === 0 && !empty) throw new ValueError(path, POLYGONS, list);
  return {
    segmentation: empty ? undefined : good,
    strays: all.filter(({ length }) => length > 0 && length < 6).length,
  };
}

function readPolygon(value: unknown, path: string): number[] {
  if (!Array.isArray(value)) throw new ValueError(path, POLYGONS, value);
  const pairs = value.length > 0 && value.every((item) => Array.isArray(item) && item.length === 2);
  const polygon = toNumbers(pairs ? value.flat() : value, path);
  if (polygon.length % 2 !== 0) throw new ValueError(path, POLYGONS, value);
  return polygon;
}

/**
 * The mask of a COCO segmentation in an image of `size`, [height, width].
 * @throws NlrcnnError ERR_NLRCNN_DATASET where it is none or of another size, with the value's path.
 */
export function maskOf(value: unknown, size: Rle['size'], path = 'segmentation'): Rle {
  const { segmentation } = readSegmentation(value, path);
  if (segmentation === undefined) throw new ValueError(path, 'polygons or RLE', value);
  if (Array.isArray(segmentation)) return placed(path, () => rleFromPolygons(segmentation, size));
  const { size: own, counts } = segmentation;
  if (own[0] !== size[0] || own[1] !== size[1]) {
    throw new ValueError(`${path}.size`, `size [${size.join(', ')}] of the image`, own);
  }
  return placed(`${path}.counts`, () => {
    if (typeof counts === 'string') decompressCounts({ size, counts });
    else checkCounts(counts, size);
    return { size: [...size], counts: typeof counts === 'string' ? counts : compressCounts(counts) };
  });
}

/** Puts the path before the message of what cannot be made into a mask. */
function placed(path: string, make: () => Rle): Rle {
  try {
    return make();
  } catch (cause) {
    const { message } = cause as Error;
    throw new NlrcnnError('ERR_NLRCNN_DATASET', `${path}: e${message.slice(1)}`, { cause });
  }
}
