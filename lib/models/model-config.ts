import type { AttentionScale, Pairwise } from '../ops/non_local_roi.js';

/** Settings of the Non-local RoI block. */
export interface NonLocalRoiConfig {
  heads: ('box' | 'mask')[];
  pairwise: Pairwise;
  /** D_f, channels of phi and psi. */
  embed_channels: number;
  /** D_g, channels of g. */
  value_channels: number;
  scale: AttentionScale;
  fusion: 'concat' | 'add';
  num_heads: number;
}

/** config.json beside the weights, with torchvision's parameter names and defaults filled in. */
export interface ModelConfig {
  architecture: 'maskrcnn' | 'fasterrcnn';
  backbone: 'resnet18' | 'resnet34' | 'resnet50' | 'resnet101' | 'resnet152';
  fpn_channels: number;
  num_classes: number;
  /** By label id; empty where unknown. */
  class_names: string[];
  norm: 'frozen' | 'batch';
  norm_eps: number;
  min_size: number;
  max_size: number;
  image_mean: number[];
  image_std: number[];
  input_normalization: 'none' | { percentiles: [number, number] };
  /** One row per level p2 … p6. */
  anchor_sizes: number[][];
  anchor_aspect_ratios: number[];
  rpn_pre_nms_top_n: number;
  rpn_post_nms_top_n: number;
  rpn_nms_thresh: number;
  rpn_score_thresh: number;
  box_score_thresh: number;
  box_nms_thresh: number;
  box_detections_per_img: number;
  /** Of dx, dy, dw, dh. */
  bbox_reg_weights: number[];
  box_head_fc: number;
  mask_head_convs: number;
  mask_head_channels: number;
  mask_threshold: number;
  non_local_roi: NonLocalRoiConfig | null;
}
