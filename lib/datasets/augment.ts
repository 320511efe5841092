import { invalidArgument, NlrcnnError } from '../errors.js';
import type { Pair } from '../ops/conv2d.js';
import type { RandomStream } from '../random.js';
import { type DecodedSample, normalizePixels } from './decoded.js';
import { type Geometry, gatherPixels, geometryOf, instanceMasks, mapBox } from './warp.js';

/** What may happen to a picture in training; nothing by default. */
export interface AugmentOptions {
  /** Probability of mirroring left and right. */
  horizontalFlip?: number | undefined;
  /** Probability of mirroring top and bottom. */
  verticalFlip?: number | undefined;
  /** Turn by 0, 90, 180 or 270 degrees, each as likely. */
  rotate90?: boolean | undefined;
  /** Smallest and largest factor of the picture's size, uniform between them. */
  scale?: Pair | undefined;
  /** Height and width of what is cut out, anywhere; where the picture is smaller, `fill` at the right and bottom. */
  crop?: Pair | undefined;
  /** Normalised value beside a picture smaller than the crop. Default: 0 */
  fill?: number | undefined;
  /** Of an object that the crop cuts, pieces of fewer pixels are dropped; whole objects stay however small. Default: 10 */
  minArea?: number | undefined;
  /** Smallest and largest factor of the pixels, uniform between them, as torchvision's ColorJitter. */
  brightness?: Pair | undefined;
  /** Smallest and largest factor of the distance from the mean gray, uniform between them, as torchvision's ColorJitter. */
  contrast?: Pair | undefined;
}

/** One picture as a training step takes it. */
export interface TrainingSample {
  id: number | string;
  name: string;
  width: number;
  height: number;
  channels: 1 | 3;
  /** [H, W, channels] of 0 … 1; percentiles are applied already: give it to op `preprocess` without them. */
  pixels: Float32Array;
  /** [G, 4], x1, y1, x2, y2 in pixels; each at least a fraction of a pixel wide and high. */
  boxes: Float32Array;
  /** [G] */
  labels: Int32Array;
  /** [G, H, W] of 0 and 1, row-major; none is empty. */
  masks: Uint8Array;
  /** [G] of 0 and 1: regions to ignore. */
  crowd: Uint8Array;
}

/** torchvision's rgb_to_grayscale. */
const LUMA = [0.2989, 0.587, 0.114] as const;

/** What was drawn for one picture; done in this order. */
export interface Augmentation {
  /** Quarter turns counterclockwise, as numpy.rot90. */
  turns: number;
  flipX: boolean;
  flipY: boolean;
  /** Height and width after resizing. */
  resized: Pair;
  /** Top and left of what is cut out of the resized picture. */
  offset: Pair;
  /** Height and width of the result. */
  size: Pair;
  brightness: number;
  contrast: number;
}

const CHECKS: { [K in keyof AugmentOptions]-?: [expected: string, check: (value: never) => boolean] } = {
  horizontalFlip: ['a probability', (value: number) => value >= 0 && value <= 1],
  verticalFlip: ['a probability', (value: number) => value >= 0 && value <= 1],
  rotate90: ['true or false', (value: boolean) => typeof value === 'boolean'],
  scale: ['two rising positive numbers', (value: Pair) => isRange(value) && value[0] > 0],
  crop: [
    'two positive integers',
    (value: Pair) => isPair(value) && value.every((v) => Number.isInteger(v) && v > 0),
  ],
  fill: ['a finite number', Number.isFinite],
  minArea: ['a number of pixels', (value: number) => value >= 0],
  brightness: ['two rising numbers from 0', isRange],
  contrast: ['two rising numbers from 0', isRange],
};

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for an unknown option or a value that it does not take. */
export function checkAugmentOptions(options: AugmentOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(CHECKS, name)) {
      throw invalidArgument(`one of ${Object.keys(CHECKS).join(', ')}`, 'augment', name);
    }
    const [expected, check] = CHECKS[name as keyof AugmentOptions];
    if (value === undefined || check(value as never)) continue;
    throw new NlrcnnError(
      'ERR_NLRCNN_ARGUMENT',
      `Expected ${expected} for augment.${name} but received ${JSON.stringify(value)}`,
    );
  }
}

function isPair(value: unknown): value is Pair {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
}

function isRange(value: Pair): boolean {
  return isPair(value) && value[0] >= 0 && value[0] <= value[1];
}

/** Draws for a picture of this size. As many numbers whatever the options, so that one option does not change what another draws. */
export function drawAugmentation(
  options: AugmentOptions,
  [height, width]: Pair,
  stream: RandomStream,
): Augmentation {
  const between = ([low, high]: Pair = [1, 1]) => low + (high - low) * stream.next();
  const turns = stream.int(0, 4);
  const flipX = stream.next() < (options.horizontalFlip ?? 0);
  const flipY = stream.next() < (options.verticalFlip ?? 0);
  const scale = between(options.scale);
  const turned = options.rotate90 && turns % 2 === 1 ? [width, height] : [height, width];
  const resized = turned.map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
  const size = options.crop ?? resized;
  const offset = resized.map((side, i) => stream.int(0, Math.max(0, side - size[i]!) + 1)) as [
    number,
    number,
  ];
  return {
    turns: options.rotate90 ? turns : 0,
    flipX,
    flipY,
    resized,
    offset,
    size: [...size],
    brightness: between(options.brightness),
    contrast: between(options.contrast),
  };
}

/**
 * Turn, flip, resize (pixels bilinear as op `preprocess`, masks to the nearest pixel), crop, brightness, contrast.
 *
 * Without `crop`, boxes are the annotated ones, transformed and clipped to the picture (where nothing is left of one, around
 * its mask); with it they are around what is left of the masks, or of the box where that is all there is. Objects without a pixel are dropped, and pieces as `minArea`
 * says.
 */
export function augmentSample(
  sample: DecodedSample,
  augmentation: Augmentation,
  { crop, fill = 0, minArea = 10 }: AugmentOptions = {},
): TrainingSample {
  const { id, name, channels } = sample;
  const geometry = geometryOf(sample, augmentation);
  const pixels = gatherPixels(normalizePixels(sample), sample.width, channels, geometry, fill);
  adjustColor(pixels, channels, geometry, augmentation);
  const { kept, masks, bounds } = instanceMasks(sample, geometry, minArea);
  const boxes = kept.map((g, k) => {
    if (!crop) return annotatedBox(sample, g, geometry.width, geometry.height, geometry) ?? bounds[k]!;
    if (!sample.boxOnly[g]) return bounds[k]!;
    // Its mask is the box rounded to pixels.
    return annotatedBox(sample, g, geometry.x.inside, geometry.y.inside, geometry) ?? bounds[k]!;
  });
  return {
    id,
    name,
    width: geometry.width,
    height: geometry.height,
    channels,
    pixels,
    boxes: Float32Array.from(boxes.flat()),
    labels: Int32Array.from(kept, (g) => sample.labels[g]!),
    masks,
    crowd: Uint8Array.from(kept, (g) => sample.crowd[g]!),
  };
}

/** What of an annotated box lies in the first columns and rows of the result. */
function annotatedBox(
  { boxes }: DecodedSample,
  g: number,
  width: number,
  height: number,
  geometry: Geometry,
): number[] | undefined {
  const box = mapBox(geometry, [boxes[4 * g]!, boxes[4 * g + 1]!, boxes[4 * g + 2]!, boxes[4 * g + 3]!]);
  const clip = (value: number, most: number) => Math.fround(Math.min(Math.max(value, 0), most));
  const [x1, x2] = [clip(box[0], width), clip(box[2], width)];
  const [y1, y2] = [clip(box[1], height), clip(box[3], height)];
  return x1 < x2 && y1 < y2 ? [x1, y1, x2, y2] : undefined;
}

/** torchvision's adjust_brightness, then adjust_contrast, of what lies in the picture. */
function adjustColor(
  pixels: Float32Array,
  channels: number,
  { width, x, y }: Geometry,
  { brightness, contrast }: Augmentation,
): void {
  const each = (change: (value: number) => number) => {
    for (let row = 0; row < y.inside; row++) {
      const from = row * width * channels;
      for (let i = from; i < from + x.inside * channels; i++) {
        pixels[i] = Math.min(Math.max(change(pixels[i]!), 0), 1);
      }
    }
  };
  if (brightness !== 1) each((value) => value * brightness);
  if (contrast === 1) return;
  let sum = 0;
  for (let row = 0; row < y.inside; row++) {
    for (let column = 0; column < x.inside; column++) {
      const i = (row * width + column) * channels;
      sum +=
        channels === 1
          ? pixels[i]!
          : LUMA[0] * pixels[i]! + LUMA[1] * pixels[i + 1]! + LUMA[2] * pixels[i + 2]!;
    }
  }
  const mean = sum / (x.inside * y.inside);
  each((value) => contrast * value + (1 - contrast) * mean);
}
