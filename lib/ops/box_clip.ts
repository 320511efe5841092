import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Pair } from './conv2d.js';

/** torchvision's clip_boxes_to_image: boxes float32 [N, 4] (xyxy), imageSize [height, width] -> [N, 4]. */
export function boxClip(context: OpContext, boxes: Tensor, imageSize: Pair): Tensor {
  return single(context.op('box_clip', [boxes], { image_size: imageSize }));
}

stopGradient('box_clip');
