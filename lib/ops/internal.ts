import { eager, type OpContext } from '../device.js';
import { adamw } from './adamw.js';
import { add } from './add.js';
import { addBroadcast } from './add_broadcast.js';
import { addBroadcastBackward } from './add_broadcast_backward.js';
import { axpby } from './axpby.js';
import { batchNorm } from './batch_norm.js';
import { batchNormBackward } from './batch_norm_backward.js';
import { bindOps } from './bind.js';
import { boxClip } from './box_clip.js';
import { boxDecode } from './box_decode.js';
import { boxDetections } from './box_detections.js';
import { boxRescale } from './box_rescale.js';
import { concat } from './concat.js';
import { convTranspose2d } from './conv_transpose2d.js';
import { convTranspose2dBackward } from './conv_transpose2d_backward.js';
import { conv2d } from './conv2d.js';
import { conv2dBackward } from './conv2d_backward.js';
import { gradNorm } from './grad_norm.js';
import { groupNorm } from './group_norm.js';
import { groupNormBackward } from './group_norm_backward.js';
import { linear } from './linear.js';
import { linearBackward } from './linear_backward.js';
import { maskLoss } from './mask_loss.js';
import { maskLossBackward } from './mask_loss_backward.js';
import { maskProbs } from './mask_probs.js';
import { maskRle } from './mask_rle.js';
import { maskTargets } from './mask_targets.js';
import { matchBoxes } from './match_boxes.js';
import { maxPool2d } from './max_pool2d.js';
import { maxPool2dBackward } from './max_pool2d_backward.js';
import { nms } from './nms.js';
import { nonLocalRoi } from './non_local_roi.js';
import { nonLocalRoiBackward } from './non_local_roi_backward.js';
import { pasteMasks } from './paste_masks.js';
import { preprocess } from './preprocess.js';
import { reshape } from './reshape.js';
import { roiAlign } from './roi_align.js';
import { roiAlignBackward } from './roi_align_backward.js';
import { rpnLoss } from './rpn_loss.js';
import { rpnLossBackward } from './rpn_loss_backward.js';
import { rpnProposals } from './rpn_proposals.js';
import { scale } from './scale.js';
import { scaleRows } from './scale_rows.js';
import { scaleRowsBackward } from './scale_rows_backward.js';
import { sgd } from './sgd.js';
import { sigmoidCrossEntropy } from './sigmoid_cross_entropy.js';
import { smoothL1 } from './smooth_l1.js';
import { softmaxCrossEntropy } from './softmax_cross_entropy.js';
import { splitChannels } from './split_channels.js';
import { splitChannelsBackward } from './split_channels_backward.js';
import { sumPlaces } from './sum_places.js';
import { sumPlacesBackward } from './sum_places_backward.js';
import { tapBias } from './tap_bias.js';
import { tapBiasBackward } from './tap_bias_backward.js';
import { topk } from './topk.js';
import { upsampleAdd } from './upsample_add.js';
import { upsampleAddBackward } from './upsample_add_backward.js';

const ALL = {
  adamw,
  add,
  addBroadcast,
  addBroadcastBackward,
  axpby,
  batchNorm,
  batchNormBackward,
  boxClip,
  boxDecode,
  boxDetections,
  boxRescale,
  concat,
  conv2d,
  conv2dBackward,
  convTranspose2d,
  convTranspose2dBackward,
  gradNorm,
  groupNorm,
  groupNormBackward,
  linear,
  linearBackward,
  maskLoss,
  maskLossBackward,
  maskProbs,
  maskRle,
  maskTargets,
  matchBoxes,
  maxPool2d,
  maxPool2dBackward,
  nms,
  nonLocalRoi,
  nonLocalRoiBackward,
  pasteMasks,
  preprocess,
  reshape,
  roiAlign,
  roiAlignBackward,
  rpnLoss,
  rpnLossBackward,
  rpnProposals,
  scale,
  scaleRows,
  scaleRowsBackward,
  sgd,
  sigmoidCrossEntropy,
  smoothL1,
  softmaxCrossEntropy,
  splitChannels,
  splitChannelsBackward,
  sumPlaces,
  sumPlacesBackward,
  tapBias,
  tapBiasBackward,
  topk,
  upsampleAdd,
  upsampleAddBackward,
};

/** Every op of the package, taken by `context`: recorded, or queued at once. */
export const opsFor = (context: OpContext) => bindOps(ALL, context);

/** Every op, run eagerly; users get those of index.ts. */
export const ops = opsFor(eager);
