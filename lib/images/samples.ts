import sharp, { type Metadata } from 'sharp';
import { NlrcnnError } from '../errors.js';
import { warnOnce } from '../warnings.js';
import { fromFloat16 } from '../weights/weights-file.js';
import { formatOf, isDecoded } from './formats.js';
import { checkPixels } from './limits.js';
import { storedGray } from './png.js';
import { prepareTiff, type SampleFormat, type TiffPage } from './tiff.js';

/** The samples of an image file, without alpha. */
export interface Samples {
  data:
    | Uint8Array
    | Int8Array
    | Uint16Array
    | Int16Array
    | Uint32Array
    | Int32Array
    | Float32Array
    | Float64Array;
  width: number;
  height: number;
  /** 1 gray, 3 RGB, 4 CMYK, where 0 is no ink. */
  channels: 1 | 3 | 4;
  /** In the file. */
  bits: number;
  format: SampleFormat;
  /** Whether the file's compression changes values. */
  lossy: boolean;
  pages: number;
  /** EXIF orientation of the file, 1 for none. */
  orientation: number;
}

export interface SampleOptions {
  /** Of the image and of a tile. */
  maxPixels: number;
  /**
   * Values as they are stored, not as they are shown: indices of a palette, 1, 2 and 4 bits not scaled to 8, gray not
   * inverted where white is zero. Default: false
   */
  stored?: boolean | undefined;
  /** Whether a TIFF of several pages is an error, not a warning. Default: false */
  onePage?: boolean | undefined;
  /** Whether the image is turned upright by its EXIF orientation. Default: true */
  orient?: boolean | undefined;
}

/** The error of a file, with what it has. */
export type Fail = (why: string, cause?: unknown) => NlrcnnError;

export const failureOf =
  (what: string): Fail =>
  (why, cause) =>
    new NlrcnnError('ERR_NLRCNN_IMAGE', `Expected a JPEG, PNG, WebP or TIFF image but ${what} ${why}`, {
      cause,
    });

/**
 * Decodes an image file without converting colours, so that values are the file's own. Its size is checked before anything
 * is decoded. Profiles are ignored, as Pillow does. `bytes` may be changed.
 *
 * @throws NlrcnnError ERR_NLRCNN_IMAGE that says what `what` has.
 */
export async function readSamples(bytes: Uint8Array, what: string, options: SampleOptions): Promise<Samples> {
  const fail = failureOf(what);
  if (bytes.length === 0) throw fail('is empty');
  const format = formatOf(bytes);
  if (!isDecoded(format)) throw fail(format ? `is ${format}` : 'is of no known format');
  try {
    const tiff = format === 'tiff' ? prepareTiff(bytes, options.stored ?? false, fail) : undefined;
    if (tiff) checkPixels(what, tiff.width, tiff.height, options.maxPixels, tiff.area);
    const gray = format === 'png' && options.stored && bytes.length > 33 ? storedGray(bytes) : undefined;
    const file = gray?.bytes ?? bytes;
    // Damage is an error, a flaw that changes no pixel (a warning) is not.
    const input = { ignoreIcc: true, failOn: 'error', limitInputPixels: false } as const;
    const image = sharp(file, tiff ? { ...input, page: tiff.index } : input);
    const metadata = await image.metadata();
    checkPixels(what, metadata.width, metadata.height, options.maxPixels);
    checkPages(metadata, tiff, options.onePage ?? false, fail);
    const { space, depth, orientation = 1 } = metadata;
    // Naming the file's own space is what keeps sharp from converting.
    if (space === 'cmyk') image.pipelineColourspace('cmyk');
    const { data, info } = await ((options.orient ?? true) ? image.autoOrient() : image)
      .removeAlpha()
      .toColourspace(space)
      .raw({ depth: depth as 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { height } = info;
    const width = tiff?.bits === 64 ? info.width / 2 : info.width;
    const channels = info.channels as number;
    if (channels !== (space === 'cmyk' ? 4 : 3) && channels !== 1) {
      throw fail(`has ${metadata.channels} channels (${space}); expected gray, RGB or CMYK`);
    }
    const bits = tiff?.bits ?? metadata.bitsPerSample ?? (depth === 'ushort' ? 16 : 8);
    const values = interpret(data, depth, tiff);
    if (values.length !== width * height * channels || (tiff && !hasSize(tiff, width, height))) {
      throw fail('has a directory that says two things of its pixels');
    }
    const factor = options.stored && tiff && bits < 8 ? 255 / (2 ** bits - 1) : (gray?.factor ?? 1);
    if (factor !== 1) for (let i = 0; i < values.length; i++) values[i]! /= factor;
    return {
      data: values,
      width,
      height,
      channels: channels as Samples['channels'],
      bits,
      format: tiff?.format ?? 'uint',
      lossy: tiff?.lossy ?? (format === 'jpeg' || format === 'webp'),
      pages: tiff?.pages ?? 1,
      orientation,
    };
  } catch (cause) {
    if (cause instanceof NlrcnnError) throw cause;
    throw fail(`did not decode (${(cause as Error).message.split('\n')[0]})`, cause);
  }
}

/** Whether the decoder found the size that the directory was read with; where a tag is there twice it may take the other. */
const hasSize = (tiff: TiffPage, width: number, height: number): boolean =>
  (width === tiff.width && height === tiff.height) || (width === tiff.height && height === tiff.width);

function checkPages(
  { pages = 1, format }: Metadata,
  tiff: TiffPage | undefined,
  onePage: boolean,
  fail: Fail,
): void {
  if (!tiff && pages > 1) throw fail(`is an animated ${format} of ${pages} frames; expected a still image`);
  if (tiff && tiff.pages > 1 && onePage) throw fail(`has ${tiff.pages} pages; expected one`);
  if (tiff && tiff.pages > 1) {
    warnOnce('NLRCNN_PAGES', 'A TIFF file of several pages was read: the first page is taken');
  }
}

const ARRAYS = {
  uchar: Uint8Array,
  char: Int8Array,
  ushort: Uint16Array,
  short: Int16Array,
  uint: Uint32Array,
  int: Int32Array,
  float: Float32Array,
} as const;

/** The decoder's bytes as the numbers that the file has; see `prepareTiff`. */
function interpret(data: Buffer, depth: string, tiff: TiffPage | undefined) {
  const { buffer, byteOffset, length } = data.byteOffset % 8 ? Uint8Array.from(data) : data;
  const view = <T>(kind: {
    new (buffer: ArrayBufferLike, at: number, count: number): T;
    BYTES_PER_ELEMENT: number;
  }) => new kind(buffer, byteOffset, length / kind.BYTES_PER_ELEMENT);
  if (tiff?.bits === 16 && tiff.format === 'int') return view(Int16Array);
  if (tiff?.bits === 16 && tiff.format === 'float') return fromFloat16(view(Uint16Array));
  if (tiff?.bits === 64) {
    if (tiff.bigEndian) swapPairs(view(Uint32Array));
    if (tiff.format === 'float') return view(Float64Array);
    const whole = tiff.format === 'int' ? view(BigInt64Array) : view(BigUint64Array);
    return Float64Array.from(whole, Number);
  }
  const kind = ARRAYS[depth as keyof typeof ARRAYS];
  if (!kind) throw new Error(`samples of type ${depth}`);
  return view<Samples['data']>(kind as never);
}

function swapPairs(words: Uint32Array): void {
  for (let i = 0; i < words.length; i += 2) {
    [words[i], words[i + 1]] = [words[i + 1]!, words[i]!];
  }
}
