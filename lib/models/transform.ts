import type { Pair } from '../ops/conv2d.js';
import type { Tensor } from '../tensor.js';
import type { ModelConfig } from './model-config.js';

/** [height, width] of a picture on its way through the network. */
export interface PictureSize {
  original: Pair;
  resized: Pair;
  /** The resized picture with zeros up to multiples of 32. */
  padded: Pair;
  /** [x, y] from resized to original pixels, float32 as in torchvision's resize_boxes. */
  boxScale: Pair;
  /** `geometryOf` this as an input of a plan: the plan then serves every picture of the same padded size. */
  geometry?: Tensor;
}

const DIVISIBLE = 32;

/**
 * torchvision's GeneralizedRCNNTransform: the short side to `min_size` unless the long side passes `max_size`; without
 * `sizes` the picture stays as it is.
 */
export function pictureSize(
  height: number,
  width: number,
  sizes?: Pick<ModelConfig, 'min_size' | 'max_size'>,
): PictureSize {
  const scale = sizes
    ? Math.min(sizes.min_size / Math.min(height, width), sizes.max_size / Math.max(height, width))
    : 1;
  const resized: Pair = [Math.max(1, Math.floor(height * scale)), Math.max(1, Math.floor(width * scale))];
  const pad = (side: number) => Math.ceil(side / DIVISIBLE) * DIVISIBLE;
  return {
    original: [height, width],
    resized,
    padded: [pad(resized[0]), pad(resized[1])],
    boxScale: [Math.fround(width / resized[1]), Math.fround(height / resized[0])],
  };
}

/** The sizes as ops take them at run time: height, width, resized height, width, box scale x, y, 0, 0. */
export function geometryOf({ original, resized, boxScale }: PictureSize): Float32Array {
  return Float32Array.of(...original, ...resized, ...boxScale, 0, 0);
}
