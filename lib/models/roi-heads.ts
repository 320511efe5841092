import type { OpContext } from '../device.js';
import { Conv2dBehindConcat, LinearBehindConcat } from '../layers/behind-concat.js';
import { Conv2d, ConvTranspose2d } from '../layers/conv.js';
import { Linear } from '../layers/linear.js';
import type { ParameterSource } from '../layers/parameters.js';
import { maskProbs } from '../ops/mask_probs.js';
import { roiAlign } from '../ops/roi_align.js';
import type { Tensor } from '../tensor.js';
import type { ModelConfig } from './model-config.js';
import { type Embeddings, type Fused, NonLocalRoi, type RoiRows } from './non-local-roi.js';

const BOX_SIZE = 7;
const MASK_SIZE = 14;
/** p2 … p5; p6 is for proposals alone. */
const SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32];

/** torchvision's MultiScaleRoIAlign(…, output size, sampling_ratio=2). */
function pool(
  context: OpContext,
  levels: readonly Tensor[],
  rois: Tensor,
  count: Tensor | undefined,
  size: number,
): Tensor {
  return roiAlign(context, levels.slice(0, SCALES.length), rois, {
    outputSize: [size, size],
    spatialScales: SCALES,
    samplingRatio: 2,
    count,
  });
}

function makeBlock(
  parameters: ParameterSource,
  head: 'box' | 'mask',
  config: ModelConfig,
): NonLocalRoi | undefined {
  const block = config.non_local_roi;
  if (!block?.heads.includes(head)) return undefined;
  return new NonLocalRoi(parameters, `roi_heads.${head}_nl`, config.fpn_channels, block);
}

/** What each stage of the box head gave, rows as the RoIs. */
export interface BoxStages {
  box_pool: Tensor;
  box_nl?: Fused;
  box_head: Tensor;
  class_logits: Tensor;
  box_regression: Tensor;
}

/** RoIAlign 7×7, the block, TwoMLPHead and FastRCNNPredictor. */
export class BoxHead {
  readonly #block: NonLocalRoi | undefined;
  readonly #fc6: Linear | LinearBehindConcat;
  readonly #fc7: Linear;
  readonly #score: Linear;
  readonly #deltas: Linear;

  /** Reads `roi_heads.{box_nl,box_head,box_predictor}.*`. */
  constructor(parameters: ParameterSource, config: ModelConfig) {
    this.#block = makeBlock(parameters, 'box', config);
    const fc6 = 'roi_heads.box_head.fc6';
    this.#fc6 =
      this.#block && config.non_local_roi?.fusion === 'concat'
        ? LinearBehindConcat.load(parameters, fc6, config.fpn_channels, BOX_SIZE * BOX_SIZE)
        : Linear.load(parameters, fc6, { relu: true });
    this.#fc7 = Linear.load(parameters, 'roi_heads.box_head.fc7', { relu: true });
    this.#score = Linear.load(parameters, 'roi_heads.box_predictor.cls_score', { float32: true });
    this.#deltas = Linear.load(parameters, 'roi_heads.box_predictor.bbox_pred', { float32: true });
  }

  /** rois [K, 4] (xyxy of image 0) or [K, 5] (image, xyxy), images in order. */
  forward(context: OpContext, levels: readonly Tensor[], rois: Tensor, rows: RoiRows): BoxStages {
    const { count } = rows;
    const pooled = pool(context, levels, rois, count, BOX_SIZE);
    const block = this.#block?.forward(context, pooled, rows);
    const { x, y }: Fused = block ?? { x: pooled };
    const hidden =
      this.#fc6 instanceof Linear
        ? this.#fc6.forward(context, x, { count })
        : this.#fc6.forward(context, x, y!, count);
    const head = this.#fc7.forward(context, hidden, { count });
    return {
      box_pool: pooled,
      ...(block && { box_nl: block }),
      box_head: head,
      class_logits: this.#score.forward(context, head, { count }),
      box_regression: this.#deltas.forward(context, head, { count }),
    };
  }

  /** What the block compares RoIs by; undefined without one. */
  embeddings(context: OpContext, { box_pool }: BoxStages, count: Tensor): Embeddings | undefined {
    return this.#block?.embed(context, box_pool, count);
  }
}

/** What each stage of the mask head gave, rows as the RoIs. */
export interface MaskStages {
  mask_pool: Tensor;
  mask_nl?: Fused;
  /** What the predictor's last convolution reads, [D, C', 28, 28]. */
  features: Tensor;
}

/** RoIAlign 14×14, the block, the mask head's convolutions and MaskRCNNPredictor. */
export class MaskHead {
  readonly #block: NonLocalRoi | undefined;
  /** The first convolution where it reads y too. */
  readonly #first: Conv2dBehindConcat | undefined;
  readonly #convs: Conv2d[] = [];
  readonly #up: ConvTranspose2d;
  readonly #logits: Conv2d;

  /** Reads `roi_heads.{mask_nl,mask_head,mask_predictor}.*`. */
  constructor(parameters: ParameterSource, config: ModelConfig) {
    this.#block = makeBlock(parameters, 'mask', config);
    const settings = { padding: [1, 1], relu: true } as const;
    for (let k = 0; k < config.mask_head_convs; k++) {
      const name = `roi_heads.mask_head.${k}.0`;
      if (k === 0 && this.#block && config.non_local_roi?.fusion === 'concat')
        this.#first = Conv2dBehindConcat.load(parameters, name, config.fpn_channels);
      else this.#convs.push(Conv2d.load(parameters, name, settings));
    }
    this.#up = ConvTranspose2d.load(parameters, 'roi_heads.mask_predictor.conv5_mask', true);
    this.#logits = Conv2d.load(parameters, 'roi_heads.mask_predictor.mask_fcn_logits');
  }

  /** rois [K, 4] (xyxy of image 0) or [K, 5] (image, xyxy), images in order. */
  forward(context: OpContext, levels: readonly Tensor[], rois: Tensor, rows: RoiRows): MaskStages {
    const { count } = rows;
    const pooled = pool(context, levels, rois, count, MASK_SIZE);
    const block = this.#block?.forward(context, pooled, rows);
    const { x, y }: Fused = block ?? { x: pooled };
    let features = this.#first && y ? this.#first.forward(context, x, y, count) : x;
    for (const conv of this.#convs) features = conv.forward(context, features, { count });
    features = this.#up.forward(context, features, { count });
    return { mask_pool: pooled, ...(block && { mask_nl: block }), features };
  }

  /** Sigmoid of each detection's own class, [D, 28, 28]. */
  probabilities(context: OpContext, features: Tensor, labels: Tensor, count: Tensor): Tensor {
    return maskProbs(context, features, {
      weight: this.#logits.weight(context),
      bias: this.#logits.bias!(context),
      labels,
      count,
    });
  }

  /** What the block compares RoIs by; undefined without one. */
  embeddings(context: OpContext, { mask_pool }: MaskStages, count: Tensor): Embeddings | undefined {
    return this.#block?.embed(context, mask_pool, count);
  }

  /** Logits of all classes, [D, C, 28, 28]: for training, and for inspection. */
  allLogits(context: OpContext, features: Tensor, count?: Tensor): Tensor {
    return this.#logits.forward(context, features, { count });
  }
}
