import { NlrcnnError } from '../errors.js';
import { decodeImage } from '../images/decode.js';
import { compressCounts } from '../masks/runs.js';
import type { ExifSetting, Instance } from './dataset.js';

/** One gray value per pixel, row-major. */
export interface LabelImage {
  data: Uint8Array | Uint16Array;
  width: number;
  height: number;
}

/** @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_IMAGE or, where it is not gray, ERR_NLRCNN_DATASET. */
export async function readLabelImage(path: string, exif?: ExifSetting): Promise<LabelImage> {
  const { data, width, height, channels } = await decodeImage(path, { orient: exif !== 'ignore' });
  if (channels !== 1 || data instanceof Float32Array) {
    const kind = channels === 3 ? 'colours' : 'float32';
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected a gray picture of labels of 8 or 16 bit but ${path} has ${kind}`,
    );
  }
  return { data, width, height };
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
