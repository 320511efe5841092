import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

export interface PreprocessOptions {
  /** Height and width of the resized picture. */
  outputSize: Pair;
  /** Height and width with zeros at the bottom and right. */
  paddedSize: Pair;
  mean: readonly number[];
  std: readonly number[];
  /** Gray values at these percentiles become 0 and 1; absent: pixels over the largest value of their type. */
  percentiles?: Pair | undefined;
  /** float32 [8], see `geometryOf`: stands for the picture's size and outputSize; `pixels` may then be longer than the picture. */
  geometry?: Tensor | undefined;
}

/**
 * Normalise, resize (bilinear), pad, as torchvision's GeneralizedRCNNTransform: pixels uint8, uint16 or float32
 * [H, W, C], C 1 or 3 -> float32 [1, 3, Hp, Wp].
 */
export function preprocess(context: OpContext, pixels: Tensor, options: PreprocessOptions): Tensor {
  const { outputSize, paddedSize, mean, std, percentiles, geometry } = options;
  return single(
    context.op('preprocess', [pixels, geometry], {
      output_size: outputSize,
      padded_size: paddedSize,
      mean,
      std,
      ...(percentiles && { percentiles }),
    }),
  );
}

stopGradient('preprocess');
