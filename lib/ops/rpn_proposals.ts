import { stopGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

export interface RpnProposalsOptions {
  /** Per level, cell anchors (xyxy around 0), flat [L, A, 4]. */
  cellAnchors: readonly number[];
  /** Height and width of the resized picture, which clips the boxes. */
  imageSize: Pair;
  /** Height and width of the padded picture, which gives each level's stride. */
  paddedSize: Pair;
  preNmsTopN: number;
  postNmsTopN: number;
  nmsThresh: number;
  scoreThresh: number;
  minSize?: number;
  /** float32 [8] or [N, 8], see `geometryOf`: stands for imageSize. */
  geometry?: Tensor | undefined;
}

export interface Proposals {
  /** float32 [N · postNmsTopN, 4]: postNmsTopN rows for each image, those beyond its count zero. */
  boxes: Tensor;
  /** float32 [N · postNmsTopN] */
  scores: Tensor;
  /** int32 [N] */
  count: Tensor;
}

/**
 * torchvision's RegionProposalNetwork.filter_proposals over decoded anchors of all levels: objectness[l] float32
 * [N, A, h, w], deltas[l] [N, 4A, h, w]. No gradient goes back through it.
 */
export function rpnProposals(
  context: OpContext,
  objectness: readonly Tensor[],
  deltas: readonly Tensor[],
  options: RpnProposalsOptions,
): Proposals {
  const geometry = options.geometry ? [options.geometry] : [];
  const inputs = [...objectness, ...deltas, ...geometry];
  const [boxes, scores, count] = context.op('rpn_proposals', inputs, {
    cell_anchors: options.cellAnchors,
    image_size: options.imageSize,
    padded_size: options.paddedSize,
    pre_nms_top_n: options.preNmsTopN,
    post_nms_top_n: options.postNmsTopN,
    nms_thresh: options.nmsThresh,
    score_thresh: options.scoreThresh,
    min_size: options.minSize ?? 1e-3,
  }) as [Tensor, Tensor, Tensor];
  return { boxes, scores, count };
}

stopGradient('rpn_proposals');
