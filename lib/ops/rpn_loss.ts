import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import { rpnLossBackward } from './rpn_loss_backward.js';

export interface RpnSamples {
  /**
   * int32 [S], each at most once: places in torchvision's concatenation of all anchors (images, then levels, places
   * row-major, anchors).
   */
  indices: Tensor;
  /** float32 [S]: 1 for an object, 0 for background. */
  labels: Tensor;
  /** float32 [S, 4]: encoded boxes, read for objects. */
  targets: Tensor;
}

export interface RpnLoss {
  /** float32 [1]: mean binary cross entropy of the samples. */
  objectness: Tensor;
  /** float32 [1]: smooth L1 of the objects, divided by S. */
  boxReg: Tensor;
  /** Gradients of both with regard to the samples, [S] and [S, 4], kept for the way back. */
  grads: [Tensor, Tensor];
}

/**
 * torchvision's RegionProposalNetwork.compute_loss for given samples: objectness[l] float32 [N, A, h, w], deltas[l]
 * [N, 4A, h, w]; both losses are 0 where S is. Reading rejects with ERR_NLRCNN_ARGUMENT for wrong or repeated indices.
 */
export function rpnLoss(
  context: OpContext,
  objectness: readonly Tensor[],
  deltas: readonly Tensor[],
  { indices, labels, targets }: RpnSamples,
  { beta = 1 / 9 }: { beta?: number } = {},
): RpnLoss {
  const inputs = [...objectness, ...deltas, indices, labels, targets];
  const [loss, boxReg, ...grads] = context.op('rpn_loss', inputs, { beta }) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  return { objectness: loss, boxReg, grads };
}

defineGradient('rpn_loss', (context, { inputs, outputs }, [objectness, boxReg]) => {
  const levels = inputs.slice(0, (inputs.length - 3) / 2).map((level) => level!.shape);
  const maps = rpnLossBackward(context, [outputs[2]!, outputs[3]!], inputs.at(-3)!, {
    objectness,
    boxReg,
    images: levels[0]![0]!,
    anchors: levels[0]![1]!,
    levelSizes: levels.map((shape) => [shape[2]!, shape[3]!] as const),
  });
  return [...maps, null, null, null];
});
