import { defineGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

export interface RoiAlignOptions {
  outputSize: Pair;
  /** Of each level against the picture. */
  spatialScales: readonly number[];
  /** Samples along each axis of a bin; 0: as many as its size asks for. */
  samplingRatio?: number;
  aligned?: boolean;
  canonicalScale?: number;
  canonicalLevel?: number;
  /** int32 [1]: how many leading RoIs are valid; the rest may be left unwritten. */
  count?: Tensor | undefined;
}

/**
 * torchvision's MultiScaleRoIAlign (one level: roi_align): levels float32 [N, C, h, w], rois [K, 4] (xyxy of image 0)
 * or [K, 5] (image, xyxy) -> [K, C, ph, pw].
 */
export function roiAlign(
  context: OpContext,
  levels: readonly Tensor[],
  rois: Tensor,
  options: RoiAlignOptions,
): Tensor {
  return single(
    context.op('roi_align', [rois, options.count, ...levels], {
      output_size: options.outputSize,
      spatial_scales: options.spatialScales,
      sampling_ratio: options.samplingRatio ?? 0,
      aligned: options.aligned ?? false,
      canonical_scale: options.canonicalScale ?? 224,
      canonical_level: options.canonicalLevel ?? 4,
    }),
  );
}

// None flows to the RoIs, as in torchvision.
defineGradient('roi_align', (context, { inputs, attrs }, [grad]) => {
  const [rois, count, ...levels] = inputs;
  const shapes = levels.map((level) => level!.shape);
  const sizes = { images: shapes[0]![0]!, level_sizes: shapes.flatMap((shape) => shape.slice(2)) };
  return [null, null, ...context.op('roi_align_backward', [grad, rois, count], { ...attrs, ...sizes })];
});
