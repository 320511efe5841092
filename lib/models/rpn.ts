import type { OpContext } from '../device.js';
import { Conv2d } from '../layers/conv.js';
import type { Parameters } from '../layers/parameters.js';
import { type Proposals, rpnProposals } from '../ops/rpn_proposals.js';
import type { Tensor } from '../tensor.js';
import { cellAnchors } from './anchors.js';
import type { ModelConfig } from './model-config.js';
import type { PictureSize } from './transform.js';

/** torchvision's RPNHead and RegionProposalNetwork. */
export class RegionProposals {
  readonly #conv: Conv2d;
  readonly #objectness: Conv2d;
  readonly #deltas: Conv2d;
  readonly #config: ModelConfig;
  readonly #anchors: number[];

  /** Reads `rpn.head.*`. */
  constructor(parameters: Parameters, config: ModelConfig) {
    this.#conv = Conv2d.load(parameters, 'rpn.head.conv.0.0', { padding: [1, 1], relu: true });
    this.#objectness = Conv2d.load(parameters, 'rpn.head.cls_logits');
    this.#deltas = Conv2d.load(parameters, 'rpn.head.bbox_pred');
    this.#config = config;
    this.#anchors = cellAnchors(config.anchor_sizes, config.anchor_aspect_ratios);
  }

  /** p2 … p6 -> proposals in pixels of the resized picture, and the two maps of each level. */
  forward(
    context: OpContext,
    levels: readonly Tensor[],
    size: PictureSize,
  ): Proposals & { objectness: Tensor[]; deltas: Tensor[] } {
    const hidden = levels.map((level) => this.#conv.forward(context, level));
    const objectness = hidden.map((x) => this.#objectness.forward(context, x));
    const deltas = hidden.map((x) => this.#deltas.forward(context, x));
    const proposals = rpnProposals(context, objectness, deltas, {
      cellAnchors: this.#anchors,
      imageSize: size.resized,
      geometry: size.geometry,
      paddedSize: size.padded,
      preNmsTopN: this.#config.rpn_pre_nms_top_n,
      postNmsTopN: this.#config.rpn_post_nms_top_n,
      nmsThresh: this.#config.rpn_nms_thresh,
      scoreThresh: this.#config.rpn_score_thresh,
    });
    return { ...proposals, objectness, deltas };
  }
}
