import { stopGradient } from '../autograd/gradients.js';
import { type OpContext, single } from '../device.js';
import type { Tensor } from '../tensor.js';

export interface MatchBoxesOptions {
  /** From this IoU on a box is matched. */
  high: number;
  /** Below this IoU a box is background; what is between is neither. */
  low: number;
  /** torchvision's allow_low_quality_matches: the boxes that overlap a target best are matched whatever the IoU. */
  lowQuality?: boolean;
  /** float32 [R, 4]: crowd regions. */
  crowd?: Tensor | undefined;
  /** Background of which this fraction lies in one crowd region is neither (Detectron's TRAIN.CROWD_FILTER_THRESH). */
  crowdThresh?: number;
}

/**
 * torchvision's Matcher over box_iou: boxes float32 [N, 4] (xyxy), targets [G, 4] -> int32 [N], the target of each box,
 * -1 for background, -2 for neither.
 */
export function matchBoxes(
  context: OpContext,
  boxes: Tensor,
  targets: Tensor,
  { high, low, lowQuality = false, crowd, crowdThresh = 0.7 }: MatchBoxesOptions,
): Tensor {
  const attrs = { high, low, low_quality: lowQuality, crowd_thresh: crowdThresh };
  return single(context.op('match_boxes', [boxes, targets, crowd], attrs));
}

stopGradient('match_boxes');
