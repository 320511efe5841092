import { open } from 'node:fs/promises';
import { checkObject } from '../arguments.js';
import { NlrcnnError } from '../errors.js';
import { warnOnce } from '../warnings.js';
import { type CapturedImage, captureImage, type ImageInput, type Pixels, type RawImage } from './input.js';
import { checkPixels, maxPixelsOf } from './limits.js';
import { failureOf, readSamples, type Samples } from './samples.js';

export type { ImageInput, Pixels, RawImage };

export interface DecodeOptions {
  /** Larger images are refused before they are decoded. Default: NLRCNN_MAX_PIXELS, else 268,402,689 */
  maxPixels?: number | undefined;
  /** Whether the image is turned upright by its EXIF orientation. Default: true */
  orient?: boolean | undefined;
}

/** What a network needs to know of its pixels. */
export interface PixelOptions extends DecodeOptions {
  /**
   * Whether pixels will be divided by the white of their type. Signed and 32-bit integers have none and are then refused,
   * and floats outside of 0 … 1 give a warning. Default: false
   */
  scaled?: boolean | undefined;
}

/**
 * Pixels of an image, upright by its EXIF orientation (see `orient`), alpha dropped: uint8 and uint16 as they are, CMYK as
 * Pillow makes it RGB, float32 with the values of the file for floats, signed integers and integers of 32 and 64 bits. The
 * input is copied when this is called.
 *
 * @throws NlrcnnError ERR_NLRCNN_IO for a file that cannot be read, ERR_NLRCNN_IMAGE for one that is no whole image, that
 * has other kinds of pixels or too many; ERR_NLRCNN_ARGUMENT, ERR_NLRCNN_SHAPE.
 */
export async function decodeImage(input: ImageInput, options: DecodeOptions = {}): Promise<Pixels> {
  checkObject(options, 'an object', 'options');
  const { maxPixels, orient } = options;
  return decodeCaptured(captureImage(input), { maxPixels, orient });
}

/** `decodeImage` of what was captured before. */
export async function decodeCaptured(
  captured: CapturedImage,
  { maxPixels, scaled = false, orient }: PixelOptions = {},
): Promise<Pixels> {
  const most = maxPixelsOf(maxPixels);
  if ('pixels' in captured) {
    checkPixels('the raw image', captured.pixels.width, captured.pixels.height, most);
    if (scaled) checkScale(captured.pixels.data);
    return captured.pixels;
  }
  const what = 'path' in captured ? captured.path : 'the buffer';
  const bytes = 'path' in captured ? await readImageFile(captured.path) : captured.bytes;
  const samples = await readSamples(bytes, what, { maxPixels: most, orient });
  if (scaled && samples.format !== 'float' && (samples.format === 'int' || samples.bits > 16)) {
    throw failureOf(what)(
      `has ${samples.format === 'int' ? 'signed' : 'unsigned'} integers of ${samples.bits} bits, whose white is unknown; expected 8 or 16 bits or floats of 0 to 1, or a model with input_normalization by percentiles`,
    );
  }
  const pixels = toPixels(samples);
  if (scaled) checkScale(pixels.data);
  return pixels;
}

/** @throws NlrcnnError ERR_NLRCNN_IO that says why a file cannot be read. */
export async function readImageFile(path: string): Promise<Uint8Array> {
  const fail = (why: string, cause?: unknown) =>
    new NlrcnnError('ERR_NLRCNN_IO', `Expected an image but ${path} ${why}`, { cause });
  try {
    await using file = await open(path);
    const stats = await file.stat();
    // Reading a device such as /dev/zero would not end.
    if (stats.isCharacterDevice() || stats.isBlockDevice()) throw fail('is a device');
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof NlrcnnError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const known: Record<string, string> = { ENOENT: 'does not exist', EISDIR: 'is a directory' };
    throw fail(known[code ?? ''] ?? `cannot be read (${code})`, cause);
  }
}

function toPixels({ data, width, height, channels, orientation }: Samples): Pixels {
  const turned = orientation > 1 && { orientation };
  if (channels === 4) return { data: rgbFromCmyk(data), width, height, channels: 3, ...turned };
  const kept = data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Float32Array;
  return { data: kept ? data : Float32Array.from(data), width, height, channels, ...turned };
}

/** Pillow's convert('RGB'): integers of 8 bits, of which 16-bit samples give their upper ones. */
function rgbFromCmyk(cmyk: Samples['data']): Uint8Array {
  const shift = cmyk instanceof Uint16Array ? 8 : 0;
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const white = 255 - (cmyk[from + 3]! >> shift);
    for (let c = 0; c < 3; c++) {
      const product = (cmyk[from + c]! >> shift) * white + 128;
      rgb[to++] = Math.max(0, white - (((product >> 8) + product) >> 8));
    }
  }
  return rgb;
}

function checkScale(data: Pixels['data']): void {
  if (!(data instanceof Float32Array) || !data.some((value) => value < 0 || value > 1)) return;
  warnOnce(
    'NLRCNN_FLOAT_RANGE',
    'An image of floats has values outside of 0 to 1, which this model takes for black and white',
  );
}
