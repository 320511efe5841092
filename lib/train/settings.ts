import type { ModelConfig } from '../models/model-config.js';

/** What training asks for beside the model's config, with torchvision's parameter names. */
export interface TrainingSettings {
  rpn_pre_nms_top_n_train: number;
  rpn_post_nms_top_n_train: number;
  rpn_fg_iou_thresh: number;
  rpn_bg_iou_thresh: number;
  rpn_batch_size_per_image: number;
  rpn_positive_fraction: number;
  box_fg_iou_thresh: number;
  box_bg_iou_thresh: number;
  box_batch_size_per_image: number;
  box_positive_fraction: number;
  /** Stages of the body that learn, counted from the last: 5 all, 3 as torchvision with given weights, 0 none. */
  trainable_backbone_layers: number;
  /** Whether pictures are resized to the config's min_size and max_size, as GeneralizedRCNNTransform; else taken as they are. */
  resize: boolean;
}

/** torchvision's defaults. */
export const DEFAULT_TRAINING: Readonly<TrainingSettings> = {
  rpn_pre_nms_top_n_train: 2000,
  rpn_post_nms_top_n_train: 2000,
  rpn_fg_iou_thresh: 0.7,
  rpn_bg_iou_thresh: 0.3,
  rpn_batch_size_per_image: 256,
  rpn_positive_fraction: 0.5,
  box_fg_iou_thresh: 0.5,
  box_bg_iou_thresh: 0.5,
  box_batch_size_per_image: 512,
  box_positive_fraction: 0.25,
  trainable_backbone_layers: 5,
  resize: true,
};

/** As torchvision's _resnet_fpn_extractor: which parameters the optimiser may change. */
export function isTrainable(
  name: string,
  { trainable_backbone_layers: layers }: TrainingSettings,
  { norm }: Pick<ModelConfig, 'norm'>,
): boolean {
  if (/\.running_(mean|var)$/.test(name)) return false;
  if (!name.startsWith(BODY)) return true;
  const inner = name.slice(BODY.length);
  if (norm === 'frozen' && /(^|\.)(bn\d|downsample\.1)\./.test(inner)) return false;
  const stages = ['layer4', 'layer3', 'layer2', 'layer1', 'conv1'].slice(0, layers);
  if (layers === 5) stages.push('bn1');
  return stages.some((stage) => inner.startsWith(`${stage}.`));
}

const BODY = 'backbone.body.';
