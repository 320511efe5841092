import { types } from 'node:util';
import ndarray, { type NdArray } from 'ndarray';
import { checkList, checkMask, checkObject } from '../arguments.js';
import { binding } from '../binding.js';
import { invalidArgument, NlrcnnError } from '../errors.js';

/** A mask as COCO compressed run-length encoding, column-major. */
export interface Rle {
  /** Height and width. */
  size: [number, number];
  counts: string;
}

/** A closed outline: x0, y0, x1, y1, … in pixels, corners of pixels at whole numbers. */
export type Ring = number[];

/** So many IoUs are 2 GiB. */
const MOST_PAIRS = 2 ** 28;

/** So many pixels are decoded or encoded at once: 1 GiB. */
const MOST_PIXELS = 2 ** 30;

/**
 * pycocotools.mask.encode of one bitmap, [height, width] of zero and not zero, at most 2^30 pixels.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no such bitmap, ERR_NLRCNN_SHAPE where its memory does not have so many
 * values, as after its buffer was transferred.
 */
export function encodeRle(bitmap: NdArray<Uint8Array>): Rle {
  const { shape, stride, offset, data } = checkObject(bitmap, 'an ndarray [height, width]', 'bitmap');
  const sides = Array.isArray(shape) && shape.length === 2 ? (shape as [number, number]) : [];
  const [height = 0, width = 0] = sides;
  if (![height, width].every((side) => Number.isInteger(side) && side > 0) || height * width > MOST_PIXELS) {
    throw invalidArgument('an ndarray of shape [height, width], at most 2^30 pixels,', 'bitmap', bitmap);
  }
  if (!Array.isArray(stride) || typeof bitmap.get !== 'function') {
    throw invalidArgument('an ndarray [height, width]', 'bitmap', bitmap);
  }
  const packed = types.isUint8Array(data) && stride[1] === 1 && stride[0] === width;
  if (packed && !(offset >= 0 && data.length >= offset + height * width)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_SHAPE',
      `Expected ${height * width} values for a bitmap of shape [${height}, ${width}] but received ${Math.max(0, data.length - offset)}`,
    );
  }
  const values = packed
    ? data.subarray(offset, offset + height * width)
    : Uint8Array.from({ length: height * width }, (_, i) => bitmap.get(Math.floor(i / width), i % width));
  return { size: [height, width], counts: binding().rleEncode(values, height, width) };
}

/**
 * pycocotools.mask.decode: [height, width] of 0 and 1.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no mask, as all functions of masks do.
 */
export function decodeRle(rle: Rle): NdArray<Uint8Array> {
  const { counts, size } = checkMask(rle, 'the mask');
  const [height, width] = size;
  return ndarray(binding().rleDecode(counts, height, width), [height, width]);
}

/** Pixels covered. */
export function rleArea(rle: Rle): number {
  const { counts, size } = checkMask(rle, 'the mask');
  return binding().rleArea(counts, ...size);
}

/** x, y, width, height of the covered pixels; zeros for none. */
export function rleToBbox(rle: Rle): [number, number, number, number] {
  const { counts, size } = checkMask(rle, 'the mask');
  return binding().rleToBbox(counts, ...size);
}

/** Union of masks of one size, or their intersection. */
export function mergeRles(rles: readonly Rle[], options: { intersect?: boolean } = {}): Rle {
  const { intersect = false } = checkObject(options, 'an object', 'options');
  checkList(rles, 'masks', 'rles');
  const size = sharedSize(rles);
  const counts = rles.map((rle) => rle.counts);
  return { size, counts: binding().rleMerge(counts, ...size, intersect) };
}

/**
 * pycocotools.mask.iou: intersection over union of each pair, row-major [detections, groundTruths]; where the ground
 * truth is a crowd, over the detection's own area.
 * @throws NlrcnnError ERR_NLRCNN_OUT_OF_MEMORY for more than 2^28 pairs.
 */
export function rleIou(
  detections: readonly Rle[],
  groundTruths: readonly Rle[],
  crowd?: readonly boolean[],
): NdArray<Float64Array> {
  checkList(detections, 'masks', 'detections');
  checkList(groundTruths, 'masks', 'groundTruths');
  const known = crowd === undefined ? [] : checkList(crowd, 'booleans', 'crowd');
  const flags = Uint8Array.from(
    { length: crowd === undefined ? groundTruths.length : known.length },
    (_, i) => Number(Boolean(known[i])),
  );
  const shape = [detections.length, groundTruths.length];
  if (shape[0] === 0 || shape[1] === 0) return ndarray(new Float64Array(0), shape);
  if (shape[0]! * shape[1]! > MOST_PAIRS) {
    throw new NlrcnnError(
      'ERR_NLRCNN_OUT_OF_MEMORY',
      `Expected at most 2^28 pairs of masks but received ${shape[0]} × ${shape[1]}`,
    );
  }
  const size = sharedSize([...detections, ...groundTruths]);
  const counts = (rles: readonly Rle[]) => rles.map((rle) => rle.counts);
  return ndarray(binding().rleIou(counts(detections), counts(groundTruths), ...size, flags), shape);
}

/** pycocotools.mask.frPyObjects of polygons, merged. */
export function rleFromPolygons(polygons: readonly Ring[], size: Rle['size']): Rle {
  return { size: sizeOf(size), counts: binding().rleFromPolygons(polygons, ...size) };
}

/** pycocotools.mask.frPyObjects of a box x, y, width, height. */
export function rleFromBbox(bbox: readonly number[], size: Rle['size']): Rle {
  return { size: sizeOf(size), counts: binding().rleFromBbox(bbox, ...size) };
}

function sizeOf(size: Rle['size']): Rle['size'] {
  if (!Array.isArray(size) || size.length !== 2) throw invalidArgument('[height, width]', 'size', size);
  return [size[0], size[1]];
}

function sharedSize(rles: readonly Rle[]): Rle['size'] {
  if (rles.length === 0) {
    throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', 'Expected at least one mask but received none');
  }
  for (const rle of rles) checkMask(rle, 'a mask');
  const { size } = rles[0]!;
  for (const rle of rles) checkSize(rle, size);
  return sizeOf(size);
}

/** @throws NlrcnnError ERR_NLRCNN_SHAPE where a mask does not have `size`, [height, width]; ERR_NLRCNN_ARGUMENT. */
export function checkSize(rle: Rle, size: Rle['size']): void {
  checkMask(rle, 'the mask');
  if (rle.size[0] === size[0] && rle.size[1] === size[1]) return;
  throw new NlrcnnError(
    'ERR_NLRCNN_SHAPE',
    `Expected masks of size [${size.join(', ')}] but received [${rle.size.join(', ')}]`,
  );
}
