import { invalidArgument, NlrcnnError } from '../errors.js';

/** As many pixels as 16383 × 16383, sharp's own limit; one image of them takes 0.8 GB in RGB of 8 bits. */
const MOST_PIXELS = 16383 ** 2;
const VARIABLE = 'NLRCNN_MAX_PIXELS';

/**
 * Pixels that an image may have: `option`, else the environment variable NLRCNN_MAX_PIXELS, else 268,402,689.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no positive number.
 */
export function maxPixelsOf(option: number | undefined): number {
  if (option !== undefined) {
    if (typeof option !== 'number' || !(option >= 1)) {
      throw invalidArgument('a positive number', 'maxPixels', option);
    }
    return option;
  }
  const text = process.env[VARIABLE];
  if (text === undefined || text === '') return MOST_PIXELS;
  const value = Number(text);
  if (!(value >= 1)) throw invalidArgument('a positive number', VARIABLE, text);
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_IMAGE for an image of more than `most` pixels; `area`: of what must be decoded for it. */
export function checkPixels(
  what: string,
  width: number,
  height: number,
  most: number,
  area = width * height,
): void {
  if (area <= most) return;
  throw new NlrcnnError(
    'ERR_NLRCNN_IMAGE',
    `Expected an image of at most ${most} pixels but ${what} has ${width} × ${height}${area > width * height ? ` in tiles of ${area}` : ''}: raise the limit with maxPixels or ${VARIABLE} if it is to be trusted`,
  );
}
