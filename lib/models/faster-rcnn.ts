import type { OpContext } from '../device.js';
import type { ParameterSource } from '../layers/parameters.js';
import { boxDetections, type Detections } from '../ops/box_detections.js';
import { boxRescale } from '../ops/box_rescale.js';
import { preprocess } from '../ops/preprocess.js';
import type { Tensor } from '../tensor.js';
import { FeaturePyramid } from './fpn.js';
import type { ModelConfig } from './model-config.js';
import type { Embeddings } from './non-local-roi.js';
import { ResNet } from './resnet.js';
import { BoxHead, type BoxStages } from './roi-heads.js';
import { RegionProposals } from './rpn.js';
import type { PictureSize } from './transform.js';

/** Everything that Faster R-CNN finds out on the way to its detections. */
export interface BoxResults {
  image: Tensor;
  /** c2 … c5 */
  features: Tensor[];
  /** p2 … p6 */
  levels: Tensor[];
  objectness: Tensor[];
  deltas: Tensor[];
  proposals: Tensor;
  /** Objectness of the proposals, falling. */
  proposalScores: Tensor;
  proposalCount: Tensor;
  box: BoxStages;
  /** Boxes in pixels of the resized picture. */
  detections: Detections;
  /** Boxes in pixels of the original picture, float32 [D, 4]. */
  boxes: Tensor;
}

/** torchvision's FasterRCNN over a ResNet with FPN, one picture at a time. */
export class FasterRcnn {
  readonly #config: ModelConfig;
  readonly #body: ResNet;
  readonly #fpn: FeaturePyramid;
  readonly #rpn: RegionProposals;
  readonly #box: BoxHead;

  constructor(parameters: ParameterSource, config: ModelConfig) {
    this.#config = config;
    this.#body = new ResNet(parameters, config.backbone, config.norm_eps);
    this.#fpn = new FeaturePyramid(parameters);
    this.#rpn = new RegionProposals(parameters, config);
    this.#box = new BoxHead(parameters, config);
  }

  /** pixels uint8, uint16 or float32 [H, W, C], C 1 or 3. */
  forward(context: OpContext, pixels: Tensor, size: PictureSize): BoxResults {
    const config = this.#config;
    const normalization = config.input_normalization;
    const image = preprocess(context, pixels, {
      outputSize: size.resized,
      paddedSize: size.padded,
      geometry: size.geometry,
      mean: config.image_mean,
      std: config.image_std,
      percentiles: normalization === 'none' ? undefined : normalization.percentiles,
    });
    const features = this.#body.forward(context, image);
    const levels = this.#fpn.forward(context, features);
    const rpn = this.#rpn.forward(context, levels, size);
    const box = this.#box.forward(context, levels, rpn.boxes, { segments: rpn.count, count: rpn.count });
    const detections = boxDetections(context, box.class_logits, box.box_regression, rpn.boxes, {
      imageSize: size.resized,
      geometry: size.geometry,
      scoreThresh: config.box_score_thresh,
      nmsThresh: config.box_nms_thresh,
      detectionsPerImg: config.box_detections_per_img,
      weights: config.bbox_reg_weights,
      count: rpn.count,
    });
    return {
      image,
      features,
      levels,
      objectness: rpn.objectness,
      deltas: rpn.deltas,
      proposals: rpn.boxes,
      proposalScores: rpn.scores,
      proposalCount: rpn.count,
      box,
      detections,
      boxes: boxRescale(context, detections.boxes, size.boxScale, size.geometry),
    };
  }

  /** What the block before the box head compares proposals by; undefined without one. */
  embeddings(context: OpContext, { box, proposalCount }: BoxResults): Embeddings | undefined {
    return this.#box.embeddings(context, box, proposalCount);
  }
}
