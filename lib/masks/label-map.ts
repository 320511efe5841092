import ndarray, { type NdArray } from 'ndarray';
import { NlrcnnError } from '../errors.js';
import { withSharp } from '../images/encode.js';
import type { Segmentation } from '../model.js';
import { decodeRle } from './rle.js';

const MOST = 65535;

/**
 * Masks as one map, uint16 [height, width]: 0 where there is none, else 1 + the index of the detection; where several
 * overlap the one of the highest score.
 * @throws NlrcnnError ERR_NLRCNN_UNSUPPORTED for more than 65,535 detections.
 */
export function toLabelMap({ width, height, detections }: Segmentation): NdArray<Uint16Array> {
  if (detections.length > MOST) {
    throw new NlrcnnError(
      'ERR_NLRCNN_UNSUPPORTED',
      `Expected at most ${MOST} detections but received ${detections.length}`,
    );
  }
  const map = new Uint16Array(width * height);
  for (const [index, { mask }] of detections.entries()) {
    if (!mask) continue;
    const bitmap = decodeRle(mask).data;
    for (let i = 0; i < map.length; i++) if (bitmap[i] && !map[i]) map[i] = index + 1;
  }
  return ndarray(map, [height, width]);
}

/** `toLabelMap` as a 16-bit gray PNG. */
export async function labelMapPng(segmentation: Segmentation): Promise<Buffer> {
  const { width, height } = segmentation;
  const { data } = toLabelMap(segmentation);
  return withSharp(data, { width, height, channels: 1 }, (map) => map.toColourspace('grey16').png());
}
