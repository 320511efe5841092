import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

/** torchvision's resize_boxes: boxes float32 [N, 4] (xyxy) times scale [x, y], or that of `geometry` -> [N, 4]. */
export function boxRescale(context: OpContext, boxes: Tensor, scale: Pair, geometry?: Tensor): Tensor {
  return single(context.op('box_rescale', [boxes, geometry], { scale }));
}

stopGradient('box_rescale');
