import { types } from 'node:util';
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

/** An input as it was when it was captured: nobody else has its memory. */
export type CapturedImage = { path: string } | { bytes: Uint8Array } | { pixels: Pixels };

/**
 * Takes an input at once, in a copy of its own, so that what the caller (or another thread, for shared memory) does to the
 * memory afterwards changes nothing. Paths are read later. Typed arrays of other realms (`node:vm`, test runners) are
 * known, and every property of a raw image is read once.
 *
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT, ERR_NLRCNN_SHAPE, ERR_NLRCNN_OUT_OF_MEMORY
 */
export function captureImage(input: ImageInput, name = 'image'): CapturedImage {
  if (typeof input === 'string') return { path: input };
  if (types.isUint8Array(input)) return { bytes: copyOf(input, Uint8Array, name) };
  if (typeof input === 'object' && input !== null) {
    const fields = fieldsOf(input, name);
    if (fields.data !== undefined) return { pixels: capturePixels(fields) };
  }
  throw invalidArgument('a path, the bytes of an image file, or raw pixels', name, input);
}

/** A captured image as an input, for what is passed on to another thread. */
export function inputOf(captured: CapturedImage): ImageInput {
  return 'path' in captured ? captured.path : 'bytes' in captured ? captured.bytes : captured.pixels;
}

function fieldsOf(input: RawImage, name: string): RawImage {
  try {
    const { data, width, height, channels } = input;
    return { data, width, height, channels };
  } catch (cause) {
    throw new NlrcnnError(
      'ERR_NLRCNN_ARGUMENT',
      `Expected raw pixels for ${name} but reading them failed (${String((cause as Error)?.message ?? cause)})`,
      { cause },
    );
  }
}

function capturePixels({ data, width, height, channels }: RawImage): Pixels {
  for (const [name, side] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(side) || side < 1) throw invalidArgument('a positive integer', name, side);
  }
  if (![1, 2, 3, 4].includes(channels)) throw invalidArgument('1, 2, 3 or 4', 'channels', channels);
  const kind = kindOf(data);
  if (!kind) throw invalidArgument('a Uint8Array, Uint16Array or Float32Array', 'data', data);
  const expected = width * height * channels;
  const received = lengthOf(data);
  if (received !== expected) {
    const gone = received === 0 ? ', as of an array whose buffer was transferred' : '';
    throw new NlrcnnError(
      'ERR_NLRCNN_SHAPE',
      `Expected ${expected} values for ${height} × ${width} × ${channels} pixels but received ${received}${gone}`,
    );
  }
  if (channels === 1 || channels === 3) return { data: copyOf(data, kind, 'data'), width, height, channels };
  return { data: dropAlpha(data, kind, channels), width, height, channels: channels === 2 ? 1 : 3 };
}

type Kind = Uint8ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor;

function kindOf(data: unknown): Kind | undefined {
  if (types.isUint8Array(data) || types.isUint8ClampedArray(data)) return Uint8Array;
  if (types.isUint16Array(data)) return Uint16Array;
  return types.isFloat32Array(data) ? Float32Array : undefined;
}

/** The arrays' own getter: an object may shadow `length`. */
const getLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')!
  .get!;
const lengthOf = (array: RawImage['data']): number => getLength.call(array);

function copyOf(array: RawImage['data'], kind: Uint8ArrayConstructor, name: string): Uint8Array;
function copyOf(array: RawImage['data'], kind: Kind, name: string): RawImage['data'];
function copyOf(array: RawImage['data'], kind: Kind, name: string): RawImage['data'] {
  try {
    return new kind(array);
  } catch (cause) {
    throw cause instanceof TypeError
      ? invalidArgument('an array whose buffer was not transferred', name, array)
      : new NlrcnnError(
          'ERR_NLRCNN_OUT_OF_MEMORY',
          `Expected memory for a copy of ${lengthOf(array)} values of ${name}`,
          { cause },
        );
  }
}

function dropAlpha(data: RawImage['data'], kind: Kind, channels: number): RawImage['data'] {
  const kept = channels - 1;
  const length = lengthOf(data);
  const out = new kind((length / channels) * kept);
  for (let from = 0, to = 0; from < length; from += channels) {
    for (let c = 0; c < kept; c++) out[to++] = data[from + c]!;
  }
  return out;
}
