import { NlrcnnError } from '../errors.js';
import { readImageFile } from '../images/decode.js';
import { maxPixelsOf } from '../images/limits.js';
import { readSamples, type Samples } from '../images/samples.js';
import { compressCounts } from '../masks/runs.js';
import type { ExifSetting, Instance } from './dataset.js';

/** One label per pixel, row-major. */
export interface LabelImage {
  data: Uint8Array | Uint16Array | Uint32Array;
  width: number;
  height: number;
}

/** Whole numbers from here on are not told apart by float32. */
const FLOAT32_WHOLE = 2 ** 24;
const LARGEST = 2 ** 32 - 1;

/**
 * Reads a gray or indexed PNG or a TIFF of labels, whose values are taken as they are stored: indices of a palette, not its
 * colours; integers of any size and whole floats, not scaled. Lossy files, which have other values than were written, are
 * refused, as are files of several pages.
 *
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_IMAGE or, where its values are no labels, ERR_NLRCNN_DATASET.
 */
export async function readLabelImage(path: string, exif?: ExifSetting): Promise<LabelImage> {
  const bytes = await readImageFile(path);
  const samples = await readSamples(bytes, path, {
    maxPixels: maxPixelsOf(undefined),
    stored: true,
    onePage: true,
    orient: exif !== 'ignore',
  });
  const { width, height, channels, lossy } = samples;
  if (channels !== 1) throw noLabels(path, channels === 3 ? 'colours' : 'CMYK colours');
  if (lossy) throw noLabels(path, 'lossy compression, which changes labels');
  return { data: toLabels(samples, path), width, height };
}

function toLabels({ data, bits, format }: Samples, path: string): LabelImage['data'] {
  if (data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint32Array) return data;
  const most = format === 'float' && bits === 32 ? FLOAT32_WHOLE : LARGEST;
  const labels = new Uint32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (!Number.isInteger(value) || value < 0 || value > most)
      throw noLabels(path, `the value ${value}`, most);
    labels[i] = value;
  }
  return labels;
}

function noLabels(path: string, has: string, most = LARGEST): NlrcnnError {
  return new NlrcnnError(
    'ERR_NLRCNN_DATASET',
    `Expected a gray image of labels, whole numbers from 0 to ${most}, but ${path} has ${has}`,
  );
}

/** Class and kind of the pixels of one value; null: none of the objects. */
export type Meaning = { label: number; crowd: boolean } | null;

/** The pixels of each value that means something, by rising value, in one pass down the columns. */
export function instancesOf(
  { data, width, height }: LabelImage,
  meaning: (value: number) => Meaning,
): Instance[] {
  const found = new Map<number, Region | null>();
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; ) {
      const value = data[y * width + x]!;
      const top = y;
      do y++;
      while (y < height && data[y * width + x] === value);
      let region = found.get(value);
      if (region === undefined) {
        const means = meaning(value);
        region = means && new Region(means.label, means.crowd);
        found.set(value, region);
      }
      region?.add(x, top, y, height);
    }
  }
  return [...found]
    .sort(([a], [b]) => a - b)
    .flatMap(([, region]) => (region ? [region.instance(height, width)] : []));
}

/** Grows run by run, by rising position in column-major order. */
class Region {
  readonly #counts: number[] = [];
  #end = 0;
  #area = 0;
  #left = Number.POSITIVE_INFINITY;
  #top = Number.POSITIVE_INFINITY;
  #right = 0;
  #bottom = 0;

  constructor(
    readonly label: number,
    readonly crowd: boolean,
  ) {}

  add(x: number, top: number, bottom: number, height: number): void {
    const from = x * height + top;
    if (from === this.#end && this.#area > 0) this.#counts[this.#counts.length - 1]! += bottom - top;
    else this.#counts.push(from - this.#end, bottom - top);
    this.#end = x * height + bottom;
    this.#area += bottom - top;
    this.#left = Math.min(this.#left, x);
    this.#right = x + 1;
    this.#top = Math.min(this.#top, top);
    this.#bottom = Math.max(this.#bottom, bottom);
  }

  instance(height: number, width: number): Instance {
    const rest = height * width - this.#end;
    const counts = rest > 0 ? [...this.#counts, rest] : this.#counts;
    return {
      label: this.label,
      box: [this.#left, this.#top, this.#right, this.#bottom],
      mask: { size: [height, width], counts: compressCounts(counts) },
      crowd: this.crowd,
      area: this.#area,
    };
  }
}
