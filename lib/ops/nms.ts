import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface NmsOptions {
  /** A box goes where its IoU with a better one is above this. */
  threshold: number;
  /** int32 [N]: boxes of different groups never suppress each other (torchvision's batched_nms). */
  groups?: Tensor | undefined;
}

/** torchvision.ops.nms: boxes float32 [N, 4] (xyxy), scores [N] -> kept indices, int32 [-1], by falling score. */
export function nms(
  context: OpContext,
  boxes: Tensor,
  scores: Tensor,
  { threshold, groups }: NmsOptions,
): Tensor {
  return single(context.op('nms', [boxes, scores, groups], { threshold }));
}

stopGradient('nms');
