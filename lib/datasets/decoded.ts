import { checkList, checkMask, checkObject } from '../arguments.js';
import { invalidArgument, NlrcnnError } from '../errors.js';
import type { Pixels } from '../images/input.js';
import { decompressCounts } from '../masks/runs.js';
import type { ModelConfig } from '../models/model-config.js';
import type { Sample } from './dataset.js';
import { imageOf } from './sample-image.js';

type Normalization = ModelConfig['input_normalization'];

/** A sample that needs no more reading: typed arrays only, so that threads can share it. */
export interface DecodedSample {
  id: number | string;
  name: string;
  width: number;
  height: number;
  channels: 1 | 3;
  /** [H, W, channels] as decoded. */
  pixels: Pixels['data'];
  /** The pixel values that become 0 and 1, and whether what lies outside is clipped. */
  range: { low: number; high: number; clip: boolean };
  /** [G] */
  labels: Int32Array;
  /** [G] of 0 and 1. */
  crowd: Uint8Array;
  /** [G] of 0 and 1: the mask is no more than the box. */
  boxOnly: Uint8Array;
  /** [G, 4] as annotated. */
  boxes: Float64Array;
  /** [G, 4] around the mask's pixels; x2 = 0 where it has none. */
  bounds: Int32Array;
  /** Starts and lengths of the runs of ones of all masks, column-major; instance g has pairs [first[g], first[g + 1]). */
  runs: Uint32Array;
  first: Uint32Array;
}

/**
 * Decodes picture and masks. With percentiles the picture becomes gray and its range is measured over the whole of it, as op
 * `preprocess` does.
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_IMAGE, ERR_NLRCNN_DATASET, each with the picture's name.
 */
export async function decodeSample(sample: Sample, normalization: Normalization): Promise<DecodedSample> {
  checkSample(sample);
  const { id, name, width, height } = sample;
  const picture = await imageOf(sample, normalization === 'none');
  if (picture.data instanceof Float32Array && !picture.data.every(Number.isFinite)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_IMAGE',
      `Expected finite pixels in ${name} but received NaN or infinity`,
    );
  }
  const { data: pixels, channels } = normalization === 'none' ? picture : toGray(picture);
  const range =
    normalization === 'none'
      ? { low: 0, high: largest(pixels), clip: false }
      : { ...percentileRange(pixels, normalization.percentiles), clip: true };
  return { id, name, width, height, channels, pixels, range, ...decodeInstances(sample) };
}

/** What a data set of the caller's own gives may be of any type. */
function checkSample(sample: Sample): void {
  const { instances } = checkObject(sample, 'a sample', 'what the data set gives');
  for (const instance of checkList(instances, 'objects', 'instances')) {
    const { label, box, mask } = checkObject(instance, 'an object', 'an instance');
    if (!Number.isInteger(label) || label < 1) throw invalidArgument('a positive integer', 'label', label);
    if (!Array.isArray(box) || box.length !== 4) throw invalidArgument('four numbers', 'box', box);
    checkMask(mask, 'mask');
  }
}

/** The sample with all arrays in shared memory, and how many bytes these are. */
export function shareSample(sample: DecodedSample): { sample: DecodedSample; bytes: number } {
  const shared = { ...sample };
  let bytes = 0;
  const share = <T extends Pixels['data'] | Int32Array | Uint32Array | Float64Array>(array: T): T => {
    const copy = new (array.constructor as new (buffer: SharedArrayBuffer) => T)(
      new SharedArrayBuffer(array.byteLength),
    );
    copy.set(array);
    bytes += array.byteLength;
    return copy;
  };
  shared.pixels = share(sample.pixels);
  for (const key of ['labels', 'bounds'] as const) shared[key] = share(sample[key]);
  for (const key of ['runs', 'first'] as const) shared[key] = share(sample[key]);
  shared.crowd = share(sample.crowd);
  shared.boxOnly = share(sample.boxOnly);
  shared.boxes = share(sample.boxes);
  return { sample: shared, bytes };
}

/** The whole picture as the network sees it before mean and std, float32 [H, W, channels]. */
export function normalizePixels({ pixels, range: { low, high, clip } }: DecodedSample): Float32Array {
  const span = high - low;
  const value = (pixel: number) => {
    if (!clip) return pixel / high;
    const above = pixel - low;
    return span > 0 ? Math.min(Math.max(above / span, 0), 1) : above > 0 ? 1 : 0;
  };
  const out = new Float32Array(pixels.length);
  if (pixels instanceof Uint8Array) {
    const table = Float32Array.from({ length: 256 }, (_, pixel) => value(pixel));
    for (let i = 0; i < out.length; i++) out[i] = table[pixels[i]!]!;
  } else {
    for (let i = 0; i < out.length; i++) out[i] = value(pixels[i]!);
  }
  return out;
}

function decodeInstances({ name, width, height, instances }: Sample) {
  const first = new Uint32Array(instances.length + 1);
  const boxes = new Float64Array(4 * instances.length);
  const bounds = new Int32Array(4 * instances.length);
  const runs: number[] = [];
  for (const [g, { mask, box }] of instances.entries()) {
    if (mask.size[0] !== height || mask.size[1] !== width || !box.every(Number.isFinite)) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `Expected a mask of size [${height}, ${width}] and a finite box for instance ${g} of ${name} but received [${mask.size}] and [${box}]`,
      );
    }
    boxes.set(box, 4 * g);
    let [at, left, top, right, bottom] = [0, width, height, 0, 0];
    for (const [i, count] of countsOf(mask, name, g).entries()) {
      if (i % 2 === 1 && count > 0) {
        runs.push(at, count);
        const end = at + count - 1;
        const [x1, x2] = [Math.floor(at / height), Math.floor(end / height)];
        left = Math.min(left, x1);
        right = Math.max(right, x2 + 1);
        top = Math.min(top, x1 === x2 ? at % height : 0);
        bottom = Math.max(bottom, x1 === x2 ? (end % height) + 1 : height);
      }
      at += count;
    }
    bounds.set([left, top, right, bottom], 4 * g);
    first[g + 1] = runs.length / 2;
  }
  return {
    labels: Int32Array.from(instances, ({ label }) => label),
    crowd: Uint8Array.from(instances, ({ crowd }) => Number(crowd)),
    boxOnly: Uint8Array.from(instances, ({ boxOnly = false }) => Number(boxOnly)),
    boxes,
    bounds,
    runs: Uint32Array.from(runs),
    first,
  };
}

function countsOf(mask: Sample['instances'][number]['mask'], name: string, g: number): number[] {
  try {
    return decompressCounts(mask);
  } catch (cause) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Mask of instance ${g} of ${name}: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

const largest = (pixels: Pixels['data']) =>
  pixels instanceof Uint8Array ? 255 : pixels instanceof Uint16Array ? 65535 : 1;

/** ITU-R 601 luma with Pillow's integer weights, as op `preprocess`. */
function toGray({ data, width, height, channels }: Pixels): Pick<Pixels, 'data' | 'channels'> {
  if (channels === 1) return { data, channels };
  const gray = new (data.constructor as new (length: number) => Pixels['data'])(width * height);
  const whole = !(data instanceof Float32Array);
  for (let i = 0; i < gray.length; i++) {
    const [r, g, b] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    gray[i] = whole
      ? Math.floor((19595 * r + 38470 * g + 7471 * b + 0x8000) / 65536)
      : 0.299 * r + 0.587 * g + 0.114 * b;
  }
  return { data: gray, channels: 1 };
}

/** numpy.percentile with linear interpolation. */
function percentileRange(pixels: Pixels['data'], percentiles: readonly [number, number]) {
  const nth = pixels instanceof Float32Array ? nthOfSorted(pixels) : nthOfCounts(pixels);
  const [low, high] = percentiles.map((q) => {
    const at = (q / 100) * (pixels.length - 1);
    const below = Math.floor(at);
    const a = nth(below);
    return a + (nth(Math.min(below + 1, pixels.length - 1)) - a) * (at - below);
  }) as [number, number];
  return { low, high };
}

function nthOfSorted(pixels: Float32Array): (rank: number) => number {
  const sorted = pixels.slice().sort();
  return (rank) => sorted[rank]!;
}

function nthOfCounts(pixels: Uint8Array | Uint16Array): (rank: number) => number {
  const counts = new Uint32Array(largest(pixels) + 1);
  for (let i = 0; i < pixels.length; i++) counts[pixels[i]!]!++;
  return (rank) => {
    let value = 0;
    for (let seen = counts[0]!; seen <= rank; seen += counts[value]!) value++;
    return value;
  };
}
