import { checkNumber, checkObject } from '../arguments.js';
import { invalidArgument } from '../errors.js';
import { decodeImage, type ImageInput, type Pixels } from '../images/decode.js';
import { withSharp } from '../images/encode.js';
import { checkPixels, maxPixelsOf } from '../images/limits.js';

export interface PaintOptions {
  /** Gray values at these percentiles are shown as black and white; default for 16 bit and float: 1 and 99.8. */
  percentiles?: readonly [number, number] | undefined;
  /** How many times larger than the picture; default: whole times until a side has 768 pixels. */
  scale?: number | undefined;
  /** Larger images are refused, and larger drawings too. Default: NLRCNN_MAX_PIXELS, else 268,402,689 */
  maxPixels?: number | undefined;
}

export type Color = readonly [number, number, number];

/** RGB being drawn on. */
export interface Canvas {
  data: Uint8Array;
  width: number;
  height: number;
}

const COMFORTABLE = 768;

/** A picture to draw on, enlarged `scale` times; `size` is its own height and width. */
export async function paintPicture(
  image: ImageInput,
  options: PaintOptions = {},
): Promise<{ canvas: Canvas; scale: number; size: [number, number] }> {
  checkOptions(options);
  const pixels = await decodeImage(image, { maxPixels: options.maxPixels });
  const longest = Math.max(pixels.width, pixels.height);
  const scale = options.scale ?? Math.max(1, Math.ceil(COMFORTABLE / longest));
  const width = Math.max(1, Math.round(pixels.width * scale));
  const height = Math.max(1, Math.round(pixels.height * scale));
  checkPixels('the drawing', width, height, maxPixelsOf(options.maxPixels));
  const { width: across, height: down, channels } = pixels;
  const data = await withSharp(
    toEightBit(pixels, options.percentiles),
    { width: across, height: down, channels },
    (picture) => picture.resize(width, height, { fit: 'fill' }).toColourspace('srgb').raw(),
  );
  return { canvas: { data, width, height }, scale, size: [down, across] };
}

function checkOptions(options: PaintOptions): void {
  const { scale, percentiles } = checkObject(options, 'an object', 'options');
  if (scale !== undefined && !(Number.isFinite(scale) && scale > 0)) {
    throw invalidArgument('a positive number', 'scale', scale);
  }
  if (percentiles === undefined) return;
  if (!Array.isArray(percentiles) || percentiles.length !== 2) {
    throw invalidArgument('two numbers', 'percentiles', percentiles);
  }
  for (const percentile of percentiles) checkNumber(percentile, 'a percentile');
}

export function toPng({ data, width, height }: Canvas): Promise<Buffer> {
  return withSharp(data, { width, height, channels: 3 }, (picture) => picture.png());
}

function toEightBit({ data }: Pixels, percentiles: readonly [number, number] | undefined): Uint8Array {
  if (data instanceof Uint8Array && !percentiles) return data;
  // A sample tells the percentiles well enough to look at.
  const every = Math.ceil(data.length / 65536);
  const sorted = data.filter((value, i) => i % every === 0 && Number.isFinite(value)).sort();
  const [low, high] = (percentiles ?? [1, 99.8]).map(
    (p) => sorted[Math.round((p / 100) * (sorted.length - 1))] ?? 0,
  ) as [number, number];
  const span = Math.max(high - low, Number.MIN_VALUE);
  return Uint8Array.from(data, (v) => Math.max(0, Math.min(255, Math.round(((v - low) / span) * 255))));
}

export function blend(
  { data, width, height }: Canvas,
  x: number,
  y: number,
  color: Color,
  alpha: number,
): void {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const at = 3 * (y * width + x);
  for (let c = 0; c < 3; c++) data[at + c] = Math.round(data[at + c]! * (1 - alpha) + color[c]! * alpha);
}
