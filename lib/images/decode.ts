import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { invalidArgument, NlrcnnError } from '../errors.js';

/** Pixels as they lie in memory, row-major, channels last. */
export interface RawImage {
  /** 8 bit, 16 bit, or float32 of 0 … 1. */
  data: Uint8Array | Uint16Array | Float32Array;
  width: number;
  height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; alpha is ignored. */
  channels: 1 | 2 | 3 | 4;
}

/** A path, the bytes of a JPEG, PNG, WebP or TIFF file, or pixels. */
export type ImageInput = string | Uint8Array | RawImage;

/** What a network takes: gray or RGB. */
export interface Pixels extends RawImage {
  channels: 1 | 3;
  /** EXIF orientation of the file, 2 to 8; absent where there is none or it says upright. */
  orientation?: number;
}

export interface DecodeOptions {
  /** Whether the image is turned upright by its EXIF orientation. Default: true */
  orient?: boolean | undefined;
}

const FORMATS = ['jpeg', 'png', 'webp', 'tiff'];

/**
 * Pixels of a picture, upright by its EXIF orientation (see `orient`), alpha dropped, 16 bit kept.
 * @throws NlrcnnError ERR_NLRCNN_IO for a file that cannot be read, ERR_NLRCNN_IMAGE for one that is no whole picture.
 */
export async function decodeImage(input: ImageInput, { orient = true }: DecodeOptions = {}): Promise<Pixels> {
  if (typeof input === 'string') return decodeFile(await readPicture(input), input, orient);
  if (input instanceof Uint8Array) return decodeFile(input, 'the buffer', orient);
  if (typeof input === 'object' && input !== null && 'data' in input) return fromRaw(input);
  throw invalidArgument('a path, the bytes of a picture, or raw pixels', 'image', input);
}

async function readPicture(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'EISDIR'
          ? 'is a directory'
          : `cannot be read (${code})`;
    throw new NlrcnnError('ERR_NLRCNN_IO', `Expected a picture but ${path} ${why}`, { cause });
  }
}

async function decodeFile(bytes: Uint8Array, what: string, orient: boolean): Promise<Pixels> {
  const fail = (why: string, cause?: unknown) =>
    new NlrcnnError('ERR_NLRCNN_IMAGE', `Expected a JPEG, PNG, WebP or TIFF picture but ${what} ${why}`, {
      cause,
    });
  if (bytes.length === 0) throw fail('is empty');
  try {
    // Profiles are ignored, as Pillow does, so that the pixels are those that torchvision sees.
    const image = sharp(bytes, { ignoreIcc: true });
    const { format, depth, channels, space, orientation = 1 } = await image.metadata();
    if (!FORMATS.includes(format)) throw fail(`is ${format}`);
    const gray = channels <= 2 && space !== 'cmyk';
    const wide = depth !== 'uchar';
    const floats = depth === 'float' || depth === 'double';
    const { data, info } = await (orient ? image.autoOrient() : image)
      .removeAlpha()
      .toColourspace(
        floats ? (gray ? 'b-w' : 'scrgb') : wide ? (gray ? 'grey16' : 'rgb16') : gray ? 'b-w' : 'srgb',
      )
      .raw({ depth: floats ? 'float' : wide ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const type = floats ? Float32Array : wide ? Uint16Array : Uint8Array;
    const values = new type(data.buffer, data.byteOffset, data.byteLength / type.BYTES_PER_ELEMENT);
    if (info.channels !== 1 && info.channels !== 3) throw fail(`has ${info.channels} channels`);
    return {
      data: values,
      width: info.width,
      height: info.height,
      channels: info.channels,
      ...(orientation > 1 && { orientation }),
    };
  } catch (cause) {
    if (cause instanceof NlrcnnError) throw cause;
    throw fail(`did not decode (${(cause as Error).message.split('\n')[0]})`, cause);
  }
}

function fromRaw(image: RawImage): Pixels {
  const { data, width, height, channels } = image;
  for (const [name, side] of Object.entries({ width, height })) {
    if (!Number.isInteger(side) || side < 1) throw invalidArgument('a positive integer', name, side);
  }
  if (![1, 2, 3, 4].includes(channels)) throw invalidArgument('1, 2, 3 or 4', 'channels', channels);
  const kinds = [Uint8Array, Uint8ClampedArray, Uint16Array, Float32Array];
  if (!kinds.some((kind) => (data as unknown) instanceof kind)) {
    throw invalidArgument('a Uint8Array, Uint16Array or Float32Array', 'data', data);
  }
  if (data.length !== width * height * channels) {
    throw new NlrcnnError(
      'ERR_NLRCNN_SHAPE',
      `Expected ${width * height * channels} values for ${height} × ${width} × ${channels} pixels but received ${data.length}`,
    );
  }
  const plain =
    ArrayBuffer.isView(data) && (data as unknown) instanceof Uint8ClampedArray
      ? new Uint8Array(data.buffer, data.byteOffset, data.length)
      : data;
  if (channels === 1 || channels === 3) return { data: plain, width, height, channels };
  return { data: dropAlpha(plain, channels), width, height, channels: channels === 2 ? 1 : 3 };
}

function dropAlpha<T extends RawImage['data']>(data: T, channels: number): T {
  const kept = channels - 1;
  const out = new (data.constructor as new (length: number) => T)((data.length / channels) * kept);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    for (let c = 0; c < kept; c++) out[to++] = data[from + c]!;
  }
  return out;
}
