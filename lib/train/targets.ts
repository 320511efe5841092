import type { TrainingSample } from '../datasets/augment.js';
import { NlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import { type PictureSize, pictureSize } from '../models/transform.js';
import type { Pair } from '../ops/conv2d.js';

/** Ground truth of one picture of a batch, boxes in pixels of the resized picture. */
export interface Target {
  size: PictureSize;
  /** [G, 4] of objects; crowd regions are none. */
  boxes: Float32Array;
  /** [G] */
  labels: Int32Array;
  /** [R, 4] of crowd regions. */
  crowd: Float32Array;
  /** Row of each object among all masks of the batch. */
  firstMask: number;
}

export interface BatchTargets {
  /** [height, width] of the whole batch: the largest of each side, up to multiples of 32. */
  padded: Pair;
  images: Target[];
  /** Masks of all objects, as op `mask_targets` takes them: uint8 [B] and int32 [G, 9]. */
  bitmaps: Uint8Array;
  windows: Int32Array;
}

/**
 * What GeneralizedRCNNTransform does with targets: boxes are scaled to the resized picture, masks will be (nearest) when
 * they are read. Without `resize` pictures stay as they are.
 *
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for degenerate boxes (as torchvision) and labels that no class has.
 */
export function batchTargets(
  samples: readonly TrainingSample[],
  config: ModelConfig,
  resize: boolean,
): BatchTargets {
  if (samples.length === 0)
    throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', 'Expected at least one sample but received none');
  const sizes = samples.map(({ height, width }) => pictureSize(height, width, resize ? config : undefined));
  const padded = [0, 1].map((axis) => Math.max(...sizes.map((size) => size.padded[axis]!))) as [
    number,
    number,
  ];
  const masks: Uint8Array[] = [];
  const windows: number[] = [];
  let offset = 0;
  const images = samples.map((sample, n): Target => {
    check(sample, config);
    const { height, width } = sample;
    const size = { ...sizes[n]!, padded };
    const [resizedHeight, resizedWidth] = size.resized;
    const objects = indicesOf(sample, 0);
    const firstMask = windows.length / 9;
    for (const g of objects) {
      windows.push(offset, 0, 0, width, height, height, width, resizedHeight, resizedWidth);
      masks.push(sample.masks.subarray(g * height * width, (g + 1) * height * width));
      offset += height * width;
    }
    return {
      size,
      boxes: scaled(sample, objects, size),
      labels: Int32Array.from(objects, (g) => sample.labels[g]!),
      crowd: scaled(sample, indicesOf(sample, 1), size),
      firstMask,
    };
  });
  const bitmaps = new Uint8Array(offset);
  let at = 0;
  for (const mask of masks) {
    bitmaps.set(mask, at);
    at += mask.length;
  }
  return { padded, images, bitmaps, windows: Int32Array.from(windows) };
}

function indicesOf({ crowd, labels }: TrainingSample, wanted: 0 | 1): number[] {
  return Array.from(labels.keys()).filter((g) => crowd[g] === wanted);
}

/** torchvision's resize_boxes: ratios of the sides in float32. */
function scaled(
  { boxes, height, width }: TrainingSample,
  rows: number[],
  { resized }: PictureSize,
): Float32Array {
  const ratios = [Math.fround(resized[1] / width), Math.fround(resized[0] / height)] as const;
  return Float32Array.from({ length: 4 * rows.length }, (_, i) => {
    return boxes[4 * rows[Math.floor(i / 4)]! + (i % 4)]! * ratios[i % 2]!;
  });
}

function check(
  { name, boxes, labels, masks, crowd, width, height }: TrainingSample,
  config: ModelConfig,
): void {
  const fail = (expected: string, received: string) => {
    throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', `Expected ${expected} of ${name} but received ${received}`);
  };
  const count = labels.length;
  if (boxes.length !== 4 * count || crowd.length !== count || masks.length !== count * height * width) {
    fail(`boxes [${count}, 4], crowd [${count}] and masks [${count}, ${height}, ${width}]`, 'other lengths');
  }
  for (let g = 0; g < count; g++) {
    const [x1, y1, x2, y2] = boxes.subarray(4 * g, 4 * g + 4) as unknown as [number, number, number, number];
    if (!(x2 > x1 && y2 > y1 && [x1, y1, x2, y2].every(Number.isFinite))) {
      fail('boxes of positive width and height', `[${x1}, ${y1}, ${x2}, ${y2}]`);
    }
    const label = labels[g]!;
    if (crowd[g] === 0 && !(label >= 1 && label < config.num_classes)) {
      fail(`labels from 1 to ${config.num_classes - 1}`, String(label));
    }
  }
}
