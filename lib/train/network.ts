import type { Tape } from '../autograd/tape.js';
import type { TrainingSample } from '../datasets/augment.js';
import type { Batch } from '../datasets/loader.js';
import type { Device } from '../device.js';
import type { HostParameter } from '../layers/parameters.js';
import { FeaturePyramid } from '../models/fpn.js';
import type { ModelConfig } from '../models/model-config.js';
import { ResNet } from '../models/resnet.js';
import { BoxHead, MaskHead } from '../models/roi-heads.js';
import { RegionProposals } from '../models/rpn.js';
import { geometryOf } from '../models/transform.js';
import { concat } from '../ops/concat.js';
import { maskLoss } from '../ops/mask_loss.js';
import { maskTargets } from '../ops/mask_targets.js';
import { preprocess } from '../ops/preprocess.js';
import { rpnLoss } from '../ops/rpn_loss.js';
import type { Proposals } from '../ops/rpn_proposals.js';
import { scale } from '../ops/scale.js';
import { smoothL1 } from '../ops/smooth_l1.js';
import { softmaxCrossEntropy } from '../ops/softmax_cross_entropy.js';
import type { NamedTensor } from '../optim/optimizers.js';
import { type LazyState, readState } from '../optim/state.js';
import { Tensor } from '../tensor.js';
import { type RoiSamples, type SamplingOptions, TargetAssigner } from './assigner.js';
import { encodeBoxes, takeBoxes } from './box-coder.js';
import { isTrainable, type TrainingSettings } from './settings.js';
import { type BatchTargets, batchTargets } from './targets.js';
import { TrainableParameters } from './trainable-parameters.js';
import type { TrainableNetwork } from './trainer.js';

/** float32 [1] each, under torchvision's names; `loss_mask` is absent for Faster R-CNN. */
export type Losses = {
  loss_classifier: Tensor;
  loss_box_reg: Tensor;
  loss_mask?: Tensor;
  loss_objectness: Tensor;
  loss_rpn_box_reg: Tensor;
};

/** Of torchvision's smooth L1 losses. */
const BETA = 1 / 9;
/** Numbers of rows that the mask head sees. */
const ROW_COUNTS = 16;
/** Side of the mask head's output. */
const MASK_TARGET = 28;

/** torchvision's MaskRCNN (or FasterRCNN) in training, with the Non-local RoI block where the config has one. */
export class TrainingNetwork implements TrainableNetwork<Batch>, Disposable {
  readonly #parameters: TrainableParameters;
  readonly #body: ResNet;
  readonly #fpn: FeaturePyramid;
  readonly #rpn: RegionProposals;
  readonly #box: BoxHead;
  readonly #mask: MaskHead | undefined;
  readonly #assigner: TargetAssigner;

  /** Empties `state`. @throws NlrcnnError ERR_NLRCNN_WEIGHTS where it lacks a tensor. */
  constructor(
    state: Map<string, HostParameter>,
    readonly config: Readonly<ModelConfig>,
    readonly settings: Readonly<TrainingSettings>,
    readonly device: Device = 'cpu',
  ) {
    const parameters = new TrainableParameters(state, device, {
      norm: config.norm,
      trainable: (name) => isTrainable(name, settings, config),
    });
    this.#parameters = parameters;
    try {
      this.#body = new ResNet(parameters, config.backbone, config.norm_eps);
      this.#fpn = new FeaturePyramid(parameters);
      this.#rpn = new RegionProposals(parameters, config);
      this.#box = new BoxHead(parameters, config);
      this.#mask = config.architecture === 'maskrcnn' ? new MaskHead(parameters, config) : undefined;
    } catch (error) {
      parameters.dispose();
      throw error;
    }
    this.#assigner = new TargetAssigner(settings, this.#rpn.cellAnchors, device);
  }

  /** What an optimiser may change in place; `losses` asks the tape for their gradients. */
  get trainable(): readonly NamedTensor[] {
    return this.#parameters.trainable;
  }

  /** The state dict, loadable for inference; what is read of it is as every op queued before leaves it. */
  get lazyState(): LazyState {
    return this.#parameters.state;
  }

  /** `lazyState`, read. */
  async state(): Promise<Map<string, HostParameter>> {
    return readState(this.lazyState);
  }

  /**
   * The losses of a batch, for `tape.backward`. Pictures of different size are padded to one; RoIs of different pictures
   * never attend to each other. What is sampled among anchors and proposals follows from `seed`, `step` and the place in
   * the batch. Crowd regions are no objects, and what lies in them is not sampled as background (see `matchBoxes`).
   *
   * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for samples that are wrong, and errors of the device.
   */
  async losses(
    tape: Tape,
    { samples }: { samples: readonly TrainingSample[] },
    options: SamplingOptions,
  ): Promise<Losses> {
    const batch = batchTargets(samples, this.config, this.settings.resize);
    // First on the device, so that anchors are sampled while it works on the body.
    const matches = this.#assigner.matchAnchors(tape, batch);
    matches.catch(() => {}); // reported below
    tape.watch(...this.trainable.map(({ tensor }) => tensor));
    const levels = this.#fpn.forward(tape, this.#body.forward(tape, this.#images(tape, samples, batch)));
    const maps = this.#rpn.maps(tape, levels);
    const geometry = Float32Array.from(batch.images.flatMap(({ size }) => [...geometryOf(size)]));
    const size = {
      resized: batch.padded,
      padded: batch.padded,
      geometry: this.#upload(tape, geometry, samples.length, 8),
    };
    const proposed = this.#rpn.propose(tape, maps, size, {
      preNmsTopN: this.settings.rpn_pre_nms_top_n_train,
      postNmsTopN: this.settings.rpn_post_nms_top_n_train,
    });
    const [matched, boxes] = await Promise.all([matches, readProposals(proposed)]);
    const anchors = this.#assigner.sampleAnchors(matched, batch, options);
    const sampled = {
      indices: this.#upload(tape, anchors.indices, anchors.indices.length),
      labels: this.#upload(tape, anchors.labels, anchors.labels.length),
      targets: this.#upload(tape, anchors.targets, anchors.labels.length, 4),
    };
    const rpn = rpnLoss(tape, maps.objectness, maps.deltas, sampled, { beta: BETA });
    const rois = await this.#assigner.sampleRois(tape, options.given?.proposals ?? boxes, batch, options);
    return {
      ...this.#boxLosses(tape, levels, rois, batch),
      ...(this.#mask && { loss_mask: this.#maskLoss(tape, this.#mask, levels, rois, batch) }),
      loss_objectness: rpn.objectness,
      loss_rpn_box_reg: rpn.boxReg,
    };
  }

  dispose(): void {
    this.#parameters.dispose();
    this.#assigner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #upload(tape: Tape, data: Float32Array | Int32Array | Uint8Array, ...shape: number[]): Tensor {
    return tape.own(Tensor.from(data, shape, this.device));
  }

  /** [N, 3, H, W], normalised and padded. */
  #images(tape: Tape, samples: readonly TrainingSample[], batch: BatchTargets): Tensor {
    const { image_mean: mean, image_std: std } = this.config;
    const images = samples.map(({ pixels, height, width, channels }, n) =>
      preprocess(tape, this.#upload(tape, pixels, height, width, channels), {
        outputSize: batch.images[n]!.size.resized,
        paddedSize: batch.padded,
        mean,
        std,
      }),
    );
    return images.length === 1 ? images[0]! : concat(tape, images);
  }

  /** torchvision's fastrcnn_loss. */
  #boxLosses(
    tape: Tape,
    levels: readonly Tensor[],
    rois: readonly RoiSamples[],
    { images }: BatchTargets,
  ): Pick<Losses, 'loss_classifier' | 'loss_box_reg'> {
    const boxes = rois.map((image) => image.boxes);
    const { rows, segments } = this.#roiRows(tape, boxes, images.length);
    const count = rows.shape[0]!;
    const labels = new Int32Array(count);
    const targets = new Float32Array(4 * count);
    let at = 0;
    for (const [n, { objects, boxes: own }] of rois.entries()) {
      labels.set(
        objects.map((g) => images[n]!.labels[g]!),
        at,
      );
      const references = takeBoxes(images[n]!.boxes, objects);
      targets.set(
        encodeBoxes(references, own.subarray(0, references.length), this.config.bbox_reg_weights),
        4 * at,
      );
      at += own.length / 4;
    }
    const placed = this.#upload(tape, labels, count);
    const head = this.#box.forward(tape, levels, rows, { segments });
    const classifier = softmaxCrossEntropy(tape, head.class_logits, placed);
    const boxReg = smoothL1(tape, head.box_regression, this.#upload(tape, targets, count, 4), {
      beta: BETA,
      labels: placed,
    });
    return { loss_classifier: classifier.loss, loss_box_reg: boxReg.loss };
  }

  /**
   * torchvision's maskrcnn_loss. Without objects one RoI counts nothing, as there, so that gradients are zero and not
   * missing.
   */
  #maskLoss(
    tape: Tape,
    head: MaskHead,
    levels: readonly Tensor[],
    rois: readonly RoiSamples[],
    { images, bitmaps, windows, padded }: BatchTargets,
  ): Tensor {
    const boxes = rois.map((image) => image.boxes.subarray(0, 4 * image.objects.length));
    const labels = rois.flatMap(({ objects }, n) => Array.from(objects, (g) => images[n]!.labels[g]!));
    const none = labels.length === 0;
    if (none) {
      boxes[0] = Float32Array.of(0, 0, padded[1], padded[0]);
      labels.push(1);
    }
    const objects = labels.length;
    // Rows of no picture fill up to one of few counts, as every new count means new kernels; nothing sees them.
    const { box_batch_size_per_image: most, box_positive_fraction: share } = this.settings;
    const step = Math.ceil((images.length * most * share) / ROW_COUNTS);
    while (labels.length % step > 0) labels.push(-1);
    boxes.push(new Float32Array(4 * (labels.length - objects)));
    const { rows, segments } = this.#roiRows(tape, boxes, images.length);
    const logits = head.allLogits(tape, head.forward(tape, levels, rows, { segments }).features);
    const masks = rois.flatMap(({ objects }, n) => Array.from(objects, (g) => images[n]!.firstMask + g));
    while (masks.length < labels.length) masks.push(0);
    const targets = none
      ? this.#upload(
          tape,
          new Float32Array(labels.length * MASK_TARGET ** 2),
          labels.length,
          MASK_TARGET,
          MASK_TARGET,
        )
      : maskTargets(
          tape,
          this.#upload(tape, bitmaps, bitmaps.length),
          this.#upload(tape, windows, windows.length / 9, 9),
          this.#upload(tape, roiRows(boxes, masks), labels.length, 5),
          { size: MASK_TARGET },
        );
    const placed = this.#upload(tape, Int32Array.from(labels), labels.length);
    const { loss } = maskLoss(tape, logits, placed, targets, { rois: objects });
    return none ? scale(tape, loss, undefined, 0) : loss;
  }

  /** RoIs of all images (what is behind them lies in the last) as RoIAlign takes them, and how many are of each. */
  #roiRows(tape: Tape, boxes: readonly Float32Array[], pictures: number): { rows: Tensor; segments: Tensor } {
    const images = boxes.flatMap((own, n) =>
      new Array<number>(own.length / 4).fill(Math.min(n, pictures - 1)),
    );
    const segments = Int32Array.from(boxes, (own) => own.length / 4);
    return {
      rows: this.#upload(tape, roiRows(boxes, images), images.length, 5),
      segments: this.#upload(tape, segments, segments.length),
    };
  }
}

/** [K, 5]: what `of` says of each box, then the box. */
function roiRows(boxes: readonly Float32Array[], of: readonly number[]): Float32Array {
  const rows = new Float32Array(5 * of.length);
  let at = 0;
  for (const own of boxes) {
    for (let i = 0; i < own.length; i += 4, at++) {
      rows[5 * at] = of[at]!;
      rows.set(own.subarray(i, i + 4), 5 * at + 1);
    }
  }
  return rows;
}

/** Flat [P, 4] of each image. */
async function readProposals({ boxes, count }: Proposals): Promise<Float32Array[]> {
  const [all, counts] = await Promise.all([boxes.read(), count.read()]);
  const each = all.data.length / counts.data.length;
  return Array.from(counts.data as Int32Array, (found, n) =>
    (all.data as Float32Array).subarray(n * each, n * each + 4 * found),
  );
}
