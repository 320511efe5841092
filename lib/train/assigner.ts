import type { Tape } from '../autograd/tape.js';
import type { Device } from '../device.js';
import { gridAnchors } from '../models/anchors.js';
import type { Pair } from '../ops/conv2d.js';
import { matchBoxes } from '../ops/match_boxes.js';
import { RandomStream } from '../random.js';
import { Tensor } from '../tensor.js';
import { encodeBoxes, takeBoxes } from './box-coder.js';
import { type Sampled, sampleBalanced } from './sampler.js';
import type { TrainingSettings } from './settings.js';
import type { BatchTargets, Target } from './targets.js';

export interface SamplingOptions {
  /** 32 bits; with `step` and the place in the batch it says what is sampled. */
  seed: number;
  step: number;
  /** Instead of what would be sampled or proposed, by image; for tests. */
  given?: {
    anchors?: readonly Sampled[] | undefined;
    /** Flat [P, 4], without the ground truth that is appended. */
    proposals?: readonly Float32Array[] | undefined;
    /** Among the proposals and, behind them, the ground truth. */
    rois?: readonly Sampled[] | undefined;
  };
}

export interface AnchorSamples {
  /** [S], as op `rpn_loss` counts. */
  indices: Int32Array;
  /** [S] of 0 and 1 */
  labels: Float32Array;
  /** [S, 4] */
  targets: Float32Array;
}

/** RoIs of one image: objects first, then background. */
export interface RoiSamples {
  /** [K, 4] */
  boxes: Float32Array;
  /** The object of each of the leading RoIs. */
  objects: Int32Array;
}

/** Tell apart what is drawn from one seed. */
const STREAMS = { anchors: 0x616e_6368, rois: 0x726f_6973 };
/** Padded sizes whose anchors are kept. */
const KEPT_ANCHORS = 4;

interface Anchors {
  boxes: Float32Array;
  tensor: Tensor;
}

/** Which anchors and proposals stand for which objects, and which of them are learnt from. */
export class TargetAssigner {
  readonly #settings: TrainingSettings;
  readonly #cellAnchors: readonly number[];
  readonly #device: Device;
  readonly #anchors = new Map<string, Anchors>();

  constructor(settings: TrainingSettings, cellAnchors: readonly number[], device: Device) {
    this.#settings = settings;
    this.#cellAnchors = cellAnchors;
    this.#device = device;
  }

  /** What op `match_boxes` says of each anchor, by image. */
  async matchAnchors(tape: Tape, { padded, images }: BatchTargets): Promise<Int32Array[]> {
    const { rpn_fg_iou_thresh: high, rpn_bg_iou_thresh: low } = this.#settings;
    const { tensor } = this.#anchorsOf(padded);
    return Promise.all(images.map((image) => this.#match(tape, tensor, image, high, low, true)));
  }

  /** torchvision's RegionProposalNetwork.assign_targets_to_anchors and its sampler. */
  sampleAnchors(
    matches: readonly Int32Array[],
    batch: BatchTargets,
    options: SamplingOptions,
  ): AnchorSamples {
    const { boxes: anchors } = this.#anchorsOf(batch.padded);
    const sampling = {
      batchSizePerImage: this.#settings.rpn_batch_size_per_image,
      positiveFraction: this.#settings.rpn_positive_fraction,
    };
    const indices: number[] = [];
    const labels: number[] = [];
    const targets: number[] = [];
    for (const [n, match] of matches.entries()) {
      const stream = new RandomStream(options.seed ^ STREAMS.anchors, options.step, n);
      const sampled = options.given?.anchors?.[n] ?? sampleBalanced(match, sampling, stream);
      const { positive, negative } = sampled;
      const first = (n * anchors.length) / 4;
      for (const i of positive) indices.push(first + i);
      for (const i of negative) indices.push(first + i);
      labels.push(...new Uint8Array(positive.length).fill(1), ...new Uint8Array(negative.length));
      const objects = takeBoxes(batch.images[n]!.boxes, objectsOf(positive, match));
      targets.push(...encodeBoxes(objects, takeBoxes(anchors, positive), [1, 1, 1, 1]));
      targets.push(...new Uint8Array(4 * negative.length));
    }
    return {
      indices: Int32Array.from(indices),
      labels: Float32Array.from(labels),
      targets: Float32Array.from(targets),
    };
  }

  /** torchvision's RoIHeads.select_training_samples; `proposals` flat [P, 4] by image. */
  async sampleRois(
    tape: Tape,
    proposals: readonly Float32Array[],
    { images }: BatchTargets,
    options: SamplingOptions,
  ): Promise<RoiSamples[]> {
    const { box_fg_iou_thresh: high, box_bg_iou_thresh: low } = this.#settings;
    const sampling = {
      batchSizePerImage: this.#settings.box_batch_size_per_image,
      positiveFraction: this.#settings.box_positive_fraction,
    };
    const candidates = images.map(({ boxes }, n) => concatBoxes(proposals[n]!, boxes));
    const matches = await Promise.all(
      images.map((image, n) => {
        const boxes = tape.own(Tensor.from(candidates[n]!, [candidates[n]!.length / 4, 4], this.#device));
        return this.#match(tape, boxes, image, high, low, false);
      }),
    );
    return matches.map((match, n) => {
      const stream = new RandomStream(options.seed ^ STREAMS.rois, options.step, n);
      const { positive, negative } = options.given?.rois?.[n] ?? sampleBalanced(match, sampling, stream);
      return {
        boxes: takeBoxes(candidates[n]!, [...positive, ...negative]),
        objects: objectsOf(positive, match),
      };
    });
  }

  dispose(): void {
    for (const { tensor } of this.#anchors.values()) tensor.dispose();
    this.#anchors.clear();
  }

  async #match(
    tape: Tape,
    boxes: Tensor,
    { boxes: objects, crowd }: Target,
    high: number,
    low: number,
    lowQuality: boolean,
  ): Promise<Int32Array> {
    const place = (data: Float32Array) => tape.own(Tensor.from(data, [data.length / 4, 4], this.#device));
    const crowds = crowd.length > 0 ? place(crowd) : undefined;
    const matches = matchBoxes(tape, boxes, place(objects), { high, low, lowQuality, crowd: crowds });
    return (await matches.read()).data as Int32Array;
  }

  #anchorsOf(padded: Pair): Anchors {
    const key = padded.join();
    const known = this.#anchors.get(key);
    if (known) return known;
    const boxes = gridAnchors(this.#cellAnchors, levelSizes(padded), padded);
    const anchors = { boxes, tensor: Tensor.from(boxes, [boxes.length / 4, 4], this.#device) };
    this.#anchors.set(key, anchors);
    for (const [oldest, { tensor }] of this.#anchors) {
      if (this.#anchors.size <= KEPT_ANCHORS) break;
      this.#anchors.delete(oldest);
      tensor.dispose();
    }
    return anchors;
  }
}

function objectsOf(positive: Int32Array, match: Int32Array): Int32Array {
  return positive.map((i) => match[i]!);
}

function concatBoxes(a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

/** p2 … p6 of a padded picture. */
function levelSizes([height, width]: Pair): Pair[] {
  const sizes = [4, 8, 16, 32].map((stride): Pair => [height / stride, width / stride]);
  return [...sizes, [Math.ceil(height / 64), Math.ceil(width / 64)]];
}
