import { eager } from '../device.js';
import { add } from './add.js';
import { bindOps } from './bind.js';
import { boxClip } from './box_clip.js';
import { boxDecode } from './box_decode.js';
import { boxDetections } from './box_detections.js';
import { boxRescale } from './box_rescale.js';
import { concat } from './concat.js';
import { convTranspose2d } from './conv_transpose2d.js';
import { conv2d } from './conv2d.js';
import { groupNorm } from './group_norm.js';
import { linear } from './linear.js';
import { maskRle } from './mask_rle.js';
import { maxPool2d } from './max_pool2d.js';
import { nms } from './nms.js';
import { nonLocalRoi } from './non_local_roi.js';
import { pasteMasks } from './paste_masks.js';
import { preprocess } from './preprocess.js';
import { reshape } from './reshape.js';
import { roiAlign } from './roi_align.js';
import { rpnProposals } from './rpn_proposals.js';
import { scale } from './scale.js';
import { topk } from './topk.js';

/**
 * The ops that inference is made of, run on the device of their tensors: outputs come back before the op has run, `read()` waits.
 * internal.ts has those of training, too: gradients, losses, optimisers.
 */
export const ops = bindOps(
  {
    add,
    boxClip,
    boxDecode,
    boxDetections,
    boxRescale,
    concat,
    conv2d,
    convTranspose2d,
    groupNorm,
    linear,
    maskRle,
    maxPool2d,
    nms,
    nonLocalRoi,
    pasteMasks,
    preprocess,
    reshape,
    roiAlign,
    rpnProposals,
    scale,
    topk,
  },
  eager,
);
