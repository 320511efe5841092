import { types } from 'node:util';
import ndarray, { type NdArray } from 'ndarray';
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
  const { shape, stride, offset, data } = bitmap ?? {};
  const sides = Array.isArray(shape) && shape.length === 2 ? (shape as [number, number]) : [];
  const [height = 0, width = 0] = sides;
  if (![height, width].every((side) => Number.isInteger(side) && side > 0) || height * width > MOST_PIXELS) {
    throw invalidArgument('an ndarray of shape [height, width], at most 2^30 pixels,', 'bitmap', bitmap);
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

/** pycocotools.mask.decode: [height, width] of 0 and 1. */
export function decodeRle({ counts, size: [height, width] }: Rle): NdArray<Uint8Array> {
  return ndarray(binding().rleDecode(counts, height, width), [height, width]);
}

/** Pixels covered. */
export function rleArea({ counts, size }: Rle): number {
  return binding().rleArea(counts, ...size);
}

/** x, y, width, height of the covered pixels; zeros for none. */
export function rleToBbox({ counts, size }: Rle): [number, number, number, number] {
  return binding().rleToBbox(counts, ...size);
}

/** Union of masks of one size, or their intersection. */
export function mergeRles(rles: readonly Rle[], { intersect = false } = {}): Rle {
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
  crowd: readonly boolean[] = groundTruths.map(() => false),
): NdArray<Float64Array> {
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
  const flags = Uint8Array.from(crowd, Number);
  return ndarray(binding().rleIou(counts(detections), counts(groundTruths), ...size, flags), shape);
}

/** pycocotools.mask.frPyObjects of polygons, merged. */
export function rleFromPolygons(polygons: readonly Ring[], size: Rle['size']): Rle {
  return { size: [...size], counts: binding().rleFromPolygons(polygons, ...size) };
}

/** pycocotools.mask.frPyObjects of a box x, y, width, height. */
export function rleFromBbox(bbox: readonly number[], size: Rle['size']): Rle {
  return { size: [...size], counts: binding().rleFromBbox(bbox, ...size) };
}

function sharedSize(rles: readonly Rle[]): Rle['size'] {
  const size = rles[0]?.size;
  if (!size) throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', 'Expected at least one mask but received none');
  for (const rle of rles) checkSize(rle, size);
  return [...size];
}

/** @throws NlrcnnError ERR_NLRCNN_SHAPE where a mask does not have `size`, [height, width]. */
export function checkSize(rle: Rle, size: Rle['size']): void {
  if (rle.size[0] === size[0] && rle.size[1] === size[1]) return;
  throw new NlrcnnError(
    'ERR_NLRCNN_SHAPE',
    `Expected masks of size [${size.join(', ')}] but received [${rle.size.join(', ')}]`,
  );
}
