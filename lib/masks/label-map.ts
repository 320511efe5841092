import ndarray, { type NdArray } from 'ndarray';
import { allocate } from '../allocate.js';
import { checkList, checkObject, checkSides } from '../arguments.js';
import { NlrcnnError } from '../errors.js';
import { withSharp } from '../images/encode.js';
import type { Segmentation } from '../model.js';
import { checkSize } from './rle.js';
import { decompressCounts } from './runs.js';

const MOST = 65535;

/**
 * Masks as one map, uint16 [height, width]: 0 where there is none, else 1 + the index of the detection; where several
 * overlap the one of the highest score.
 * @throws NlrcnnError ERR_NLRCNN_UNSUPPORTED for more than 65,535 detections, ERR_NLRCNN_SHAPE for a mask of another size.
 */
export function toLabelMap(segmentation: Segmentation): NdArray<Uint16Array> {
  const { width, height, detections } = checkObject(segmentation, 'a result of segment', 'the result');
  checkSides(height, width, 0);
  checkList(detections, 'detections', 'detections');
  if (detections.length > MOST) {
    throw new NlrcnnError(
      'ERR_NLRCNN_UNSUPPORTED',
      `Expected at most ${MOST} detections but received ${detections.length}`,
    );
  }
  const map = allocate(Uint16Array, width * height, 'a label map');
  for (const [index, detection] of detections.entries()) {
    const { mask } = checkObject(detection, 'an object', 'a detection');
    if (!mask) continue;
    checkSize(mask, [height, width]);
    let at = 0;
    for (const [i, count] of decompressCounts(mask).entries()) {
      if (i % 2) fillColumns(map, at, at + count, height, width, index + 1);
      at += count;
    }
  }
  return ndarray(map, [height, width]);
}

/** Where `map` is 0 it gets `value`, at the pixels `from` to before `to` counted column by column. */
function fillColumns(
  map: Uint16Array,
  from: number,
  to: number,
  height: number,
  width: number,
  value: number,
): void {
  for (let at = from; at < to; ) {
    const x = Math.floor(at / height);
    const end = Math.min(to, (x + 1) * height);
    for (let i = (at - x * height) * width + x; at < end; at++, i += width) if (!map[i]) map[i] = value;
  }
}

/** `toLabelMap` as a 16-bit gray PNG. */
export async function labelMapPng(segmentation: Segmentation): Promise<Buffer> {
  const { data } = toLabelMap(segmentation);
  const { width, height } = segmentation;
  return withSharp(data, { width, height, channels: 1 }, (map) => map.toColourspace('grey16').png());
}
