import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';
import type { RoiAlignOptions } from './roi_align.js';

export interface RoiAlignBackwardOptions extends RoiAlignOptions {
  /** N of the levels. */
  images: number;
  /** [height, width] of each level. */
  levelSizes: readonly Pair[];
}

/**
 * The gradient of `roiAlign` with regard to its levels: grad float32 [K, C, ph, pw], rois as there -> one
 * [N, C, h, w] for each level. Sums have one order: the same inputs give the same bits.
 */
export function roiAlignBackward(
  context: OpContext,
  grad: Tensor,
  rois: Tensor,
  options: RoiAlignBackwardOptions,
): Tensor[] {
  return context.op('roi_align_backward', [grad, rois, options.count], {
    output_size: options.outputSize,
    spatial_scales: options.spatialScales,
    sampling_ratio: options.samplingRatio ?? 0,
    aligned: options.aligned ?? false,
    canonical_scale: options.canonicalScale ?? 224,
    canonical_level: options.canonicalLevel ?? 4,
    images: options.images,
    level_sizes: options.levelSizes.flat(),
  });
}
