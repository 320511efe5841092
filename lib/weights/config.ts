import type { ModelConfig, NonLocalRoiConfig } from '../models/model-config.js';
import { BODIES } from '../models/resnet.js';
import {
  type Check,
  fail,
  fill,
  fraction,
  integer,
  is,
  list,
  number,
  oneOf,
  positive,
  type Schema,
  strings,
} from '../schema.js';

/** Sizes of a level, and aspect ratios. */
const MAX_ANCHORS = 64;

const anchorSizes: Check = (value, path) => {
  list(list(positive, undefined, MAX_ANCHORS), 5)(value, path);
  const sizes = value as number[][];
  if (sizes.some((level) => level.length !== sizes[0]!.length))
    fail(path, 'as many sizes on each level', value);
};

const normalization: Check = (value, path) => {
  if (value === 'none') return;
  const given = value as { percentiles?: unknown } | null;
  if (typeof given !== 'object' || !given || Object.keys(given).join() !== 'percentiles') {
    fail(path, '"none" or {"percentiles": [low, high]}', value);
  }
  list(number(0, 100), 2)(given.percentiles, `${path}.percentiles`);
  const [low, high] = given.percentiles as [number, number];
  if (low >= high) fail(`${path}.percentiles`, 'two rising numbers', given.percentiles);
};

const BLOCK: Schema<NonLocalRoiConfig> = {
  heads: {
    fallback: is(['box', 'mask']),
    check: list(oneOf('box', 'mask')),
  },
  pairwise: {
    fallback: is('embedded_gaussian'),
    check: oneOf('embedded_gaussian', 'gaussian', 'dot_product', 'concatenation'),
  },
  embed_channels: { fallback: is(64), check: integer(1) },
  value_channels: { fallback: is(256), check: integer(1) },
  scale: { fallback: is('none'), check: oneOf('none', 'rsqrt') },
  fusion: { fallback: is('concat'), check: oneOf('concat', 'add') },
  num_heads: { fallback: is(1), check: integer(1, 1024) },
};

const MODEL: Schema<ModelConfig> = {
  architecture: { fallback: is('maskrcnn'), check: oneOf('maskrcnn', 'fasterrcnn') },
  backbone: { fallback: is('resnet50'), check: oneOf(...Object.keys(BODIES)) },
  fpn_channels: { fallback: is(256), check: integer(1, 4096) },
  num_classes: { fallback: is(91), check: integer(2, 100000) },
  class_names: { fallback: is([]), check: strings },
  norm: { fallback: is('frozen'), check: oneOf('frozen', 'batch') },
  norm_eps: { fallback: is(1e-5), check: number(0, 1) },
  min_size: { fallback: is(800), check: integer(1, 16384) },
  max_size: { fallback: is(1333), check: integer(1, 16384) },
  image_mean: { fallback: is([0.485, 0.456, 0.406]), check: list(number(-1e6, 1e6), 3) },
  image_std: { fallback: is([0.229, 0.224, 0.225]), check: list(positive, 3) },
  input_normalization: { fallback: is('none'), check: normalization },
  anchor_sizes: { fallback: is([[32], [64], [128], [256], [512]]), check: anchorSizes },
  anchor_aspect_ratios: { fallback: is([0.5, 1, 2]), check: list(positive, undefined, MAX_ANCHORS) },
  rpn_pre_nms_top_n: { fallback: is(1000), check: integer(1) },
  rpn_post_nms_top_n: { fallback: is(1000), check: integer(1, 20000) },
  rpn_nms_thresh: { fallback: is(0.7), check: fraction },
  rpn_score_thresh: { fallback: is(0), check: fraction },
  box_score_thresh: { fallback: is(0.05), check: fraction },
  box_nms_thresh: { fallback: is(0.5), check: fraction },
  box_detections_per_img: { fallback: is(100), check: integer(1, 20000) },
  bbox_reg_weights: { fallback: is([10, 10, 5, 5]), check: list(positive, 4) },
  box_head_fc: { fallback: is(1024), check: integer(1, 65536) },
  mask_head_convs: { fallback: is(4), check: integer(0, 64) },
  mask_head_channels: { fallback: is(256), check: integer(1, 4096) },
  mask_threshold: { fallback: is(0.5), check: fraction },
  non_local_roi: {
    fallback: is(null),
    check: (value, path) => {
      if (value !== null) fill(value, BLOCK, `${path}.`);
    },
  },
};

/**
 * A config.json with torchvision's defaults where a key is missing.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG for unknown keys and for values that a key does not take.
 */
export function parseConfig(value: unknown): ModelConfig {
  const config = fill(value, MODEL, '');
  if (config.non_local_roi) {
    const channels = config.fpn_channels;
    const defaults = { embed_channels: Math.max(1, Math.floor(channels / 4)), value_channels: channels };
    const block = fill<NonLocalRoiConfig>({ ...defaults, ...config.non_local_roi }, BLOCK, 'non_local_roi.');
    const embed = block.pairwise === 'gaussian' ? channels : block.embed_channels;
    if (embed % block.num_heads || block.value_channels % block.num_heads) {
      fail(
        'non_local_roi.num_heads',
        `a divisor of ${embed} and ${block.value_channels} channels`,
        block.num_heads,
      );
    }
    config.non_local_roi = block;
  }
  const names = config.class_names.length;
  if (names > 0 && names !== config.num_classes) {
    fail(
      'class_names',
      `${config.num_classes} names (num_classes, the background first)`,
      config.class_names,
    );
  }
  if (config.max_size < config.min_size)
    fail('max_size', `at least min_size (${config.min_size})`, config.max_size);
  return config;
}
