import type { OpContext } from '../device.js';
import type { ParameterSource } from '../layers/parameters.js';
import { maskRle } from '../ops/mask_rle.js';
import type { Tensor } from '../tensor.js';
import { type BoxResults, FasterRcnn } from './faster-rcnn.js';
import type { ModelConfig } from './model-config.js';
import type { Embeddings } from './non-local-roi.js';
import { MaskHead, type MaskStages } from './roi-heads.js';
import type { PictureSize } from './transform.js';

/** Faster R-CNN's results and, from Mask R-CNN, the masks as COCO compressed RLE of the original picture. */
export interface Results extends BoxResults {
  mask?: MaskStages & { bytes: Tensor; offsets: Tensor };
}

/** A network of either architecture. */
export interface Network {
  forward(context: OpContext, pixels: Tensor, size: PictureSize): Results;
  /** Mask logits of all classes, for inspection; undefined without a mask head. */
  maskLogits(context: OpContext, results: Results): Tensor | undefined;
  /** What the block before a head compares RoIs by; undefined without such a block. */
  embeddings(context: OpContext, results: Results, head: 'box' | 'mask'): Embeddings | undefined;
}

/** torchvision's MaskRCNN over a ResNet with FPN, one picture at a time. */
class MaskRcnn implements Network {
  readonly #boxes: FasterRcnn;
  readonly #mask: MaskHead;
  readonly #threshold: number;

  constructor(parameters: ParameterSource, config: ModelConfig) {
    this.#boxes = new FasterRcnn(parameters, config);
    this.#mask = new MaskHead(parameters, config);
    this.#threshold = config.mask_threshold;
  }

  forward(context: OpContext, pixels: Tensor, size: PictureSize): Results {
    const results = this.#boxes.forward(context, pixels, size);
    const { boxes, labels, count } = results.detections;
    const stages = this.#mask.forward(context, results.levels, boxes, { segments: count, count });
    const probabilities = this.#mask.probabilities(context, stages.features, labels, count);
    const [height, width] = size.original;
    const paste = { height, width, threshold: this.#threshold, count, geometry: size.geometry };
    return { ...results, mask: { ...stages, ...maskRle(context, probabilities, results.boxes, paste) } };
  }

  maskLogits(context: OpContext, { mask, detections }: Results): Tensor | undefined {
    return mask && this.#mask.allLogits(context, mask.features, detections.count);
  }

  embeddings(context: OpContext, results: Results, head: 'box' | 'mask'): Embeddings | undefined {
    if (head === 'box') return this.#boxes.embeddings(context, results);
    return results.mask && this.#mask.embeddings(context, results.mask, results.detections.count);
  }
}

/** The network that `config.architecture` names. */
export function makeNetwork(parameters: ParameterSource, config: ModelConfig): Network {
  if (config.architecture === 'maskrcnn') return new MaskRcnn(parameters, config);
  const network = new FasterRcnn(parameters, config);
  return {
    forward: (context, pixels, size) => network.forward(context, pixels, size),
    maskLogits: () => undefined,
    embeddings: (context, results, head) =>
      head === 'box' ? network.embeddings(context, results) : undefined,
  };
}
