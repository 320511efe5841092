import type { OpContext } from '../device.js';
import { Conv2d } from '../layers/conv.js';
import type { ParameterSource } from '../layers/parameters.js';
import { type Proposals, rpnProposals } from '../ops/rpn_proposals.js';
import type { Tensor } from '../tensor.js';
import { cellAnchors } from './anchors.js';
import type { ModelConfig } from './model-config.js';
import type { PictureSize } from './transform.js';

/** Of each level: objectness [N, A, h, w] and deltas [N, 4A, h, w]. */
export interface RpnMaps {
  objectness: Tensor[];
  deltas: Tensor[];
}

/** How many proposals are looked at on each level, and how many stay. */
export interface ProposalCounts {
  preNmsTopN: number;
  postNmsTopN: number;
}

/** torchvision's RPNHead and RegionProposalNetwork. */
export class RegionProposals {
  readonly #conv: Conv2d;
  readonly #objectness: Conv2d;
  readonly #deltas: Conv2d;
  readonly #config: ModelConfig;
  /** Flat [levels, A, 4]. */
  readonly cellAnchors: number[];

  /** Reads `rpn.head.*`. */
  constructor(parameters: ParameterSource, config: ModelConfig) {
    this.#conv = Conv2d.load(parameters, 'rpn.head.conv.0.0', { padding: [1, 1], relu: true });
    this.#objectness = Conv2d.load(parameters, 'rpn.head.cls_logits');
    this.#deltas = Conv2d.load(parameters, 'rpn.head.bbox_pred');
    this.#config = config;
    this.cellAnchors = cellAnchors(config.anchor_sizes, config.anchor_aspect_ratios);
  }

  /** p2 … p6 -> proposals in pixels of the resized picture, and the two maps of each level. */
  forward(context: OpContext, levels: readonly Tensor[], size: PictureSize): Proposals & RpnMaps {
    const maps = this.maps(context, levels);
    const counts = {
      preNmsTopN: this.#config.rpn_pre_nms_top_n,
      postNmsTopN: this.#config.rpn_post_nms_top_n,
    };
    return { ...this.propose(context, maps, size, counts), ...maps };
  }

  maps(context: OpContext, levels: readonly Tensor[]): RpnMaps {
    const hidden = levels.map((level) => this.#conv.forward(context, level));
    return {
      objectness: hidden.map((x) => this.#objectness.forward(context, x)),
      deltas: hidden.map((x) => this.#deltas.forward(context, x)),
    };
  }

  /** `size.geometry` may be that of several images, [N, 8]. */
  propose(
    context: OpContext,
    { objectness, deltas }: RpnMaps,
    size: Pick<PictureSize, 'resized' | 'padded' | 'geometry'>,
    counts: ProposalCounts,
  ): Proposals {
    return rpnProposals(context, objectness, deltas, {
      cellAnchors: this.cellAnchors,
      imageSize: size.resized,
      geometry: size.geometry,
      paddedSize: size.padded,
      nmsThresh: this.#config.rpn_nms_thresh,
      scoreThresh: this.#config.rpn_score_thresh,
      ...counts,
    });
  }
}
