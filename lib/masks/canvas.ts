import sharp from 'sharp';
import { NlrcnnError } from '../errors.js';
import { decodeImage, type ImageInput, type Pixels } from '../images/decode.js';

export interface PaintOptions {
  /** Gray values at these percentiles are shown as black and white; default for 16 bit and float: 1 and 99.8. */
  percentiles?: readonly [number, number] | undefined;
  /** How many times larger than the picture; default: whole times until a side has 768 pixels. */
  scale?: number | undefined;
}

export type Color = readonly [number, number, number];

/** RGB being drawn on. */
export interface Canvas {
  data: Uint8Array;
  width: number;
  height: number;
}

const COMFORTABLE = 768;
/** Pixels of the largest canvas, which takes three bytes for each. */
const MOST_PIXELS = 2 ** 29;

/** A picture to draw on, enlarged `scale` times; `size` is its own height and width. */
export async function paintPicture(
  image: ImageInput,
  options: PaintOptions = {},
): Promise<{ canvas: Canvas; scale: number; size: [number, number] }> {
  const pixels = await decodeImage(image);
  const longest = Math.max(pixels.width, pixels.height);
  const scale = options.scale ?? Math.max(1, Math.ceil(COMFORTABLE / longest));
  const width = Math.round(pixels.width * scale);
  const height = Math.round(pixels.height * scale);
  if (!(width >= 1 && height >= 1 && width * height <= MOST_PIXELS)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_ARGUMENT',
      `Expected a scale that gives 1 to 2^29 pixels but received ${scale} for ${pixels.height} × ${pixels.width} pixels`,
    );
  }
  const data = await sharp(toEightBit(pixels, options.percentiles), {
    raw: { width: pixels.width, height: pixels.height, channels: pixels.channels },
  })
    .resize(width, height, { fit: 'fill' })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
  return { canvas: { data, width, height }, scale, size: [pixels.height, pixels.width] };
}

export function toPng({ data, width, height }: Canvas): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

function toEightBit({ data }: Pixels, percentiles: readonly [number, number] | undefined): Uint8Array {
  if (data instanceof Uint8Array && !percentiles) return data;
  // A sample tells the percentiles well enough to look at.
  const every = Math.ceil(data.length / 65536);
  const sorted = data.filter((_, i) => i % every === 0).sort();
  const [low, high] = (percentiles ?? [1, 99.8]).map(
    (p) => sorted[Math.round((p / 100) * (sorted.length - 1))]!,
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
