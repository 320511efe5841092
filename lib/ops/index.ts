import { eager, type OpContext } from '../device.js';
import { addBroadcast } from './add_broadcast.js';
import { boxClip } from './box_clip.js';
import { boxDecode } from './box_decode.js';
import { boxDetections } from './box_detections.js';
import { boxRescale } from './box_rescale.js';
import { convTranspose2d } from './conv_transpose2d.js';
import { conv2d } from './conv2d.js';
import { linear } from './linear.js';
import { maskProbs } from './mask_probs.js';
import { maskRle } from './mask_rle.js';
import { maxPool2d } from './max_pool2d.js';
import { nms } from './nms.js';
import { nonLocalRoi } from './non_local_roi.js';
import { pasteMasks } from './paste_masks.js';
import { preprocess } from './preprocess.js';
import { roiAlign } from './roi_align.js';
import { rpnProposals } from './rpn_proposals.js';
import { tapBias } from './tap_bias.js';
import { topk } from './topk.js';
import { upsampleAdd } from './upsample_add.js';

/** The op queued at once: outputs come back before it has run, `read()` waits. */
function now<A extends unknown[], R>(op: (context: OpContext, ...args: A) => R): (...args: A) => R {
  return (...args) => op(eager, ...args);
}

/** Every op, run eagerly on tensors of `Tensor.from`. */
export const ops = {
  addBroadcast: now(addBroadcast),
  boxClip: now(boxClip),
  boxDecode: now(boxDecode),
  boxDetections: now(boxDetections),
  boxRescale: now(boxRescale),
  conv2d: now(conv2d),
  convTranspose2d: now(convTranspose2d),
  linear: now(linear),
  maskProbs: now(maskProbs),
  maskRle: now(maskRle),
  maxPool2d: now(maxPool2d),
  nms: now(nms),
  nonLocalRoi: now(nonLocalRoi),
  pasteMasks: now(pasteMasks),
  preprocess: now(preprocess),
  roiAlign: now(roiAlign),
  rpnProposals: now(rpnProposals),
  tapBias: now(tapBias),
  topk: now(topk),
  upsampleAdd: now(upsampleAdd),
};
