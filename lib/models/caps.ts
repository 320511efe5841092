import type { HostTensor } from '../binding.js';
import { warnOnce } from '../warnings.js';
import type { ModelConfig } from './model-config.js';

/** A key of the config that bounds what is found in an image. */
export type Cap = 'box_detections_per_img' | 'rpn_post_nms_top_n';

/** An object is likelier than none: a proposal of at least this objectness is worth looking at. */
const LIKELY = 0.5;

const WHAT: Record<Cap, string> = {
  box_detections_per_img: 'detections',
  rpn_post_nms_top_n: 'proposals that are likely objects',
};

/** What of an image reached how far. */
export interface Reached {
  /** Scores of its detections, falling, before any are filtered. */
  scores: readonly number[];
  /** Objectness of its proposals, falling; the rest is zero. */
  objectness: HostTensor;
  proposals: number;
  /** What the caller asks for: at least this score, at most so many. */
  score?: number | undefined;
  most?: number | undefined;
}

/**
 * Keys whose limits an image has reached, so that objects may be missing. How many candidates were cut is not known, as the
 * kernels stop at the limit; what the caller filters out anyhow is not counted. Proposals reach `rpn_post_nms_top_n` in
 * almost every large image, the last of them being background: that counts only where the last one is likely an object.
 */
export function reachedCaps(config: ModelConfig, reached: Reached): Cap[] {
  const { scores, objectness, proposals, score = 0, most = Number.POSITIVE_INFINITY } = reached;
  const caps: Cap[] = [];
  const detections = config.box_detections_per_img;
  // All that was cut has a lower score than the last.
  if (scores.length >= detections && most > detections && scores.at(-1)! >= score)
    caps.push('box_detections_per_img');
  if (proposals >= config.rpn_post_nms_top_n && Number(objectness.data[proposals - 1]) >= LIKELY)
    caps.push('rpn_post_nms_top_n');
  return caps;
}

/** Says once for each key that a limit was reached. */
export function warnOfCaps(caps: readonly Cap[], config: ModelConfig): void {
  for (const cap of caps) {
    warnOnce(
      'NLRCNN_CAPPED',
      `An image has ${config[cap]} ${WHAT[cap]}, the most that ${cap} allows: objects may be missing; raise it in the model's config.json`,
    );
  }
}
