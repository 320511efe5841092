import { stopGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

export interface BoxDetectionsOptions {
  /** Height and width of the resized picture, which clips the boxes. */
  imageSize: Pair;
  scoreThresh: number;
  nmsThresh: number;
  detectionsPerImg: number;
  weights?: readonly number[];
  minSize?: number;
  /** int32 [1]: how many leading proposals are valid. */
  count?: Tensor | undefined;
  /** float32 [8], see `geometryOf`: stands for the sizes above. */
  geometry?: Tensor | undefined;
}

export interface Detections {
  /** float32 [detectionsPerImg, 4]; rows beyond count are zero. */
  boxes: Tensor;
  /** float32 [detectionsPerImg], falling */
  scores: Tensor;
  /** int32 [detectionsPerImg] */
  labels: Tensor;
  /** int32 [1] */
  count: Tensor;
}

/**
 * torchvision's RoIHeads.postprocess_detections: classLogits float32 [N, C], boxRegression [N, 4C], proposals
 * [N, 4].
 */
export function boxDetections(
  context: OpContext,
  classLogits: Tensor,
  boxRegression: Tensor,
  proposals: Tensor,
  options: BoxDetectionsOptions,
): Detections {
  const inputs = [classLogits, boxRegression, proposals, options.count, options.geometry];
  const [boxes, scores, labels, count] = context.op('box_detections', inputs, {
    image_size: options.imageSize,
    score_thresh: options.scoreThresh,
    nms_thresh: options.nmsThresh,
    detections_per_img: options.detectionsPerImg,
    weights: options.weights ?? [10, 10, 5, 5],
    min_size: options.minSize ?? 1e-2,
  }) as [Tensor, Tensor, Tensor, Tensor];
  return { boxes, scores, labels, count };
}

stopGradient('box_detections');
