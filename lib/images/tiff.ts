/** How numbers are stored. */
export type SampleFormat = 'uint' | 'int' | 'float';

/** What a TIFF file says of the page that is read. */
export interface TiffPage {
  /** Number of the page in the file. */
  index: number;
  /** Pages that are neither thumbnails nor masks. */
  pages: number;
  width: number;
  height: number;
  /** Greatest of the image's and a tile's pixels: what a decoder holds at least. */
  area: number;
  bits: number;
  format: SampleFormat;
  /** Whether the compression changes values. */
  lossy: boolean;
  /** Of the file's numbers; decoders give the machine's order, of 64 bits word by word. */
  bigEndian: boolean;
}

const TAG = {
  subfile: 254,
  oldSubfile: 255,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
  samples: 277,
  planar: 284,
  predictor: 317,
  tileWidth: 322,
  tileHeight: 323,
  inkSet: 332,
  extraSamples: 338,
  sampleFormat: 339,
};
const PHOTOMETRIC = { white: 0, black: 1, rgb: 2, palette: 3, cmyk: 5, ycbcr: 6 };
const NAMES = new Map([
  [4, 'a transparency mask'],
  [6, 'YCbCr samples without JPEG compression'],
  [8, 'CIE L*a*b* samples'],
  [9, 'ICC L*a*b* samples'],
  [10, 'ITU L*a*b* samples'],
  [32803, "a camera's colour filter array"],
  [32844, 'LogL samples'],
  [32845, 'LogLuv samples'],
]);
const JPEG = [6, 7, 34892];
/** Bytes of each field type. */
const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const [SHORT, LONG] = [3, 4];
const FORMATS: readonly (SampleFormat | 'complex')[] = [
  'uint',
  'uint',
  'int',
  'float',
  'uint',
  'complex',
  'complex',
];
/** Directories may overlap, so that a small file could name very many. */
const MOST_FIELDS = 1_000_000;

interface Field {
  type: number;
  count: number;
  /** Of its entry, and of its first value. */
  entry: number;
  at: number;
}

type Directory = Map<number, Field>;

/** The directories of a TIFF or BigTIFF file. @throws RangeError where an offset lies outside of the file. */
class TiffFile {
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #big: boolean;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#little = bytes[0] === 0x49;
    this.#big = this.#view.getUint16(2, this.#little) === 43;
  }

  get bigEndian(): boolean {
    return !this.#little;
  }

  directories(): Directory[] {
    const all: Directory[] = [];
    const seen = new Set<number>();
    let fields = 0;
    for (let at = this.#offset(this.#big ? 8 : 4); at !== 0 && !seen.has(at) && fields < MOST_FIELDS; ) {
      seen.add(at);
      const { directory, next } = this.#directory(at);
      all.push(directory);
      fields += 1 + directory.size;
      at = next;
    }
    return all;
  }

  values(directory: Directory, tag: number): number[] {
    const field = directory.get(tag);
    if (!field) return [];
    const { type, count, at } = field;
    return Array.from({ length: Math.min(count, 64) }, (_, i) => {
      const place = at + i * SIZES[type]!;
      if (SIZES[type] === 1) return this.#view.getUint8(place);
      if (SIZES[type] === 2) return this.#view.getUint16(place, this.#little);
      if (SIZES[type] === 4) return this.#view.getUint32(place, this.#little);
      return Number(this.#view.getBigUint64(place, this.#little));
    });
  }

  /** Changes all values of a field; it becomes one of 32 bits where the value needs them. */
  set(directory: Directory, tag: number, value: number): void {
    const field = directory.get(tag);
    if (!field) return;
    if (value > 0xffff && field.type === SHORT && field.count === 1) {
      this.#view.setUint16(field.entry + 2, LONG, this.#little);
      field.type = LONG;
    }
    const size = SIZES[field.type]!;
    for (let i = 0; i < field.count; i++) {
      const place = field.at + i * size;
      if (size === 2) this.#view.setUint16(place, value, this.#little);
      else if (size === 4) this.#view.setUint32(place, value, this.#little);
      else if (size === 8) this.#view.setBigUint64(place, BigInt(value), this.#little);
      else this.#view.setUint8(place, value);
    }
  }

  #directory(start: number): { directory: Directory; next: number } {
    const count = this.#big ? this.#offset(start) : this.#view.getUint16(start, this.#little);
    const [first, size, room] = this.#big ? [start + 8, 20, 8] : [start + 2, 12, 4];
    const directory: Directory = new Map();
    for (let i = 0, entry = first; i < count; i++, entry += size) {
      const tag = this.#view.getUint16(entry, this.#little);
      const type = this.#view.getUint16(entry + 2, this.#little);
      const values = this.#big ? this.#offset(entry + 4) : this.#view.getUint32(entry + 4, this.#little);
      const place = entry + size - room;
      const at = values * (SIZES[type] ?? 0) <= room ? place : this.#offset(place);
      // Of a tag that is there twice the first counts, as in libtiff.
      if (SIZES[type] && !directory.has(tag)) directory.set(tag, { type, count: values, entry, at });
    }
    return { directory, next: this.#offset(first + count * size) };
  }

  #offset(at: number): number {
    return this.#big
      ? Number(this.#view.getBigUint64(at, this.#little))
      : this.#view.getUint32(at, this.#little);
  }
}

/**
 * Reads what kind of samples a TIFF file has and changes its header, in place, where a decoder would otherwise not give the
 * samples as they are stored: 16-bit integers and floats are declared unsigned and 64-bit samples twice as many of 32 (the
 * caller reinterprets the bits), three channels without colour become RGB. With `stored` the palette and the direction of
 * gray are taken away too, except for bilevel images, whose two values mean black and white.
 *
 * @throws Error that says what the file has, for kinds that cannot be decoded; `fail` makes it.
 */
export function prepareTiff(bytes: Uint8Array, stored: boolean, fail: (why: string) => Error): TiffPage {
  try {
    return prepare(new TiffFile(bytes), stored, fail);
  } catch (cause) {
    if (cause instanceof RangeError) throw fail('has a TIFF directory that lies outside of the file');
    throw cause;
  }
}

function prepare(file: TiffFile, stored: boolean, fail: (why: string) => Error): TiffPage {
  const all = file.directories();
  const subfile = (directory: Directory) =>
    (file.values(directory, TAG.subfile)[0] ?? 0) & 5 || file.values(directory, TAG.oldSubfile)[0] === 2;
  const whole = all.filter((directory) => !subfile(directory));
  const directory = whole[0] ?? all[0];
  if (!directory) throw fail('is a TIFF without pages');
  const value = (tag: number, absent: number) => file.values(directory, tag)[0] ?? absent;
  const [width, height] = [value(TAG.width, 0), value(TAG.height, 0)];
  const [photometric, compression] = [value(TAG.photometric, 1), value(TAG.compression, 1)];
  const samples = value(TAG.samples, 1);
  const depths = file.values(directory, TAG.bits);
  const bits = depths[0] ?? 1;
  const formats = file.values(directory, TAG.sampleFormat);
  const format = FORMATS[formats[0] ?? 1] ?? 'uint';
  const channels = `${samples} ${samples === 1 ? 'channel' : 'channels'} of ${bits} bits`;
  const known =
    [8, 16, 32].includes(bits) ||
    bits === 64 ||
    ([1, 2, 4].includes(bits) && samples === 1 && format === 'uint');
  if (format === 'complex') throw fail(`has complex samples, ${channels}; expected integers or floats`);
  if (!known || (format === 'float' && bits === 8)) {
    throw fail(`has ${channels}; expected 8, 16, 32 or 64 bits, or 1, 2 or 4 bits of gray or of a palette`);
  }
  if (depths.some((depth) => depth !== bits) || formats.some((other) => other !== formats[0])) {
    throw fail(`has channels of different kinds (${depths} bits); expected the same for all`);
  }
  if (NAMES.has(photometric) && !(photometric === PHOTOMETRIC.ycbcr && JPEG.includes(compression))) {
    throw fail(`has ${NAMES.get(photometric)}; expected gray, RGB, CMYK or a palette`);
  }
  const extra = file.values(directory, TAG.extraSamples);
  const colours = coloursOf(photometric, samples, extra);
  if (colours === undefined || (photometric === PHOTOMETRIC.cmyk && value(TAG.inkSet, 1) !== 1)) {
    throw fail(`has ${channels}; expected gray, RGB or CMYK, with or without alpha`);
  }
  if (colours === 3 && photometric <= PHOTOMETRIC.black)
    file.set(directory, TAG.photometric, PHOTOMETRIC.rgb);
  const inverted = photometric === PHOTOMETRIC.white && bits > 1;
  // Signed numbers and floats have no white to be inverted about: Pillow and libvips leave them, too.
  const straight = inverted && (stored || format !== 'uint');
  if ((straight && colours === 1) || (stored && photometric === PHOTOMETRIC.palette)) {
    file.set(directory, TAG.photometric, PHOTOMETRIC.black);
  }
  // Alpha of kind 2 leaves the other channels alone, kind 1 has them divided by it.
  if (stored && samples > colours) file.set(directory, TAG.extraSamples, 2);
  if (bits === 16 && format !== 'uint') file.set(directory, TAG.sampleFormat, 1);
  if (bits === 64) {
    const plain =
      value(TAG.predictor, 1) === 1 &&
      value(TAG.orientation, 1) === 1 &&
      samples === colours &&
      (straight || !inverted);
    if (!plain || (samples > 1 && value(TAG.planar, 1) !== 1) || colours === 4) {
      throw fail(`has ${channels}; 64 bits are read of upright gray or RGB without predictor and alpha only`);
    }
    file.set(directory, TAG.bits, 32);
    file.set(directory, TAG.sampleFormat, 1);
    for (const tag of [TAG.width, TAG.tileWidth]) file.set(directory, tag, 2 * value(tag, 0));
  }
  const tile = value(TAG.tileWidth, 0) * value(TAG.tileHeight, 0);
  return {
    index: all.indexOf(directory),
    pages: Math.max(1, whole.length),
    width,
    height,
    area: Math.max(width * height, tile),
    bits,
    format,
    lossy: JPEG.includes(compression),
    bigEndian: file.bigEndian,
  };
}

/** Channels without alpha: 1 gray or palette, 3 RGB, 4 CMYK; undefined: no such image. */
function coloursOf(photometric: number, samples: number, extra: readonly number[]): 1 | 3 | 4 | undefined {
  const { white, black, rgb, palette, cmyk, ycbcr } = PHOTOMETRIC;
  if (photometric === palette) return samples === 1 ? 1 : undefined;
  // As Pillow: one more channel than the colours need is alpha or padding, whatever it says.
  if (photometric === rgb || photometric === ycbcr) return samples === 3 || samples === 4 ? 3 : undefined;
  if (photometric === cmyk) return samples === 4 || samples === 5 ? 4 : undefined;
  if (photometric !== white && photometric !== black) return undefined;
  // Of gray, only what is declared alpha is: a second channel may as well be one of fluorescence.
  const alpha = extra.map((kind) => kind === 1 || kind === 2);
  if (alpha.slice(0, -1).includes(true)) return undefined;
  const colours = samples - (alpha.at(-1) ? 1 : 0);
  return colours === 1 || colours === 3 ? colours : undefined;
}
