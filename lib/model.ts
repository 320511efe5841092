import { performance } from 'node:perf_hooks';
import { abortable, cancelled } from './abort.js';
import { checkObject, checkSignal } from './arguments.js';
import type { HostTensor, NativePlan } from './binding.js';
import {
  type Device,
  type DeviceOption,
  type Precision,
  Recorder,
  resolveDevice,
  resolvePrecision,
} from './device.js';
import { invalidArgument, NlrcnnError } from './errors.js';
import { decodeCaptured } from './images/decode.js';
import { type CapturedImage, captureImage, type ImageInput, type Pixels } from './images/input.js';
import { maxPixelsOf } from './images/limits.js';
import { Parameters } from './layers/parameters.js';
import type { Rle } from './masks/rle.js';
import { attentionRow } from './models/attention.js';
import { type Cap, reachedCaps, warnOfCaps } from './models/caps.js';
import { makeNetwork, type Network, type Results } from './models/mask-rcnn.js';
import type { ModelConfig } from './models/model-config.js';
import { PlanCache } from './models/plan-cache.js';
import { geometryOf, type PictureSize, pictureSize } from './models/transform.js';
import type { Tensor } from './tensor.js';
import { loadWeights, type WeightsSource } from './weights/load.js';

export interface LoadModelOptions extends WeightsSource {
  /** Default `auto`. */
  device?: DeviceOption | undefined;
  /** Default `fp32`. */
  precision?: Precision | undefined;
  /**
   * Images of more pixels are refused before they are decoded. Default: the environment variable NLRCNN_MAX_PIXELS, else
   * 268,402,689 (16383 × 16383)
   */
  maxPixels?: number | undefined;
}

export interface SegmentOptions {
  /** Only detections of at least this score; those below the model's `box_score_thresh` are never made. */
  score?: number | undefined;
  /** At most this many, the best ones. */
  maxDetections?: number | undefined;
  /** When it is aborted the promise rejects with ERR_NLRCNN_CANCELLED at once, and no further image is begun. */
  signal?: AbortSignal | undefined;
}

export interface Detection {
  /** Name of the class, or its number where the config has no names. */
  label: string;
  labelId: number;
  /** 0 … 1 */
  score: number;
  /** x1, y1, x2, y2 in pixels of the picture. */
  box: [number, number, number, number];
  /** Of the whole picture; absent for Faster R-CNN. */
  mask?: Rle;
}

export interface Segmentation {
  width: number;
  height: number;
  /** By falling score. */
  detections: Detection[];
  /**
   * Keys of the model's config whose limit this image has reached, so that objects may be missing; absent where none is.
   * `box_detections_per_img`: as many detections as it allows, all of at least `score`. `rpn_post_nms_top_n`: as many
   * proposals, the last of them with an objectness of 0.5 or more.
   */
  capped?: readonly Cap[];
  milliseconds: { decode: number; network: number; total: number };
}

export interface AttentionOptions {
  /** Which detection, by falling score from 0 on, as `segment` lists them without `score`. */
  roi: number;
  /** Before which head. Default: `mask` where the block is there, else `box` */
  head?: 'box' | 'mask' | undefined;
}

/** What one RoI gathers from which others of its picture. */
export interface Attention {
  width: number;
  height: number;
  head: 'box' | 'mask';
  /** All RoIs that the block saw: before the mask head the detections, before the box head the proposals. */
  rois: { box: Detection['box'] }[];
  /** Index of the chosen RoI in `rois`: before the box head, the proposal that overlaps the detection most. */
  roi: number;
  /** By RoI, the mean over `perHead`. Of the Gaussians they sum to 1. */
  weights: number[];
  /** [num_heads][rois.length] */
  perHead: number[][];
  /** By falling score. */
  detections: Detection[];
}

/** Shapes whose plans are kept; each holds some hundred kilobytes of kernels beside the shared arena. */
const KEPT_PLANS = 16;
/** Pictures worked on at once: while the device does one, others are decoded; a GPU does several. */
const AT_ONCE = { cpu: 2, cuda: 6 };

/**
 * Loads a network: by default the one that comes with the package.
 *
 * @throws NlrcnnError ERR_NLRCNN_DEVICE, ERR_NLRCNN_UNSUPPORTED for a device or precision that is not there,
 * ERR_NLRCNN_IO, ERR_NLRCNN_CONFIG, ERR_NLRCNN_WEIGHTS for files that do not fit.
 */
export async function loadModel(options: LoadModelOptions = {}): Promise<Model> {
  checkObject(options, 'an object', 'options');
  const maxPixels = maxPixelsOf(options.maxPixels);
  const device = resolveDevice(options.device);
  const precision = resolvePrecision(device, options.precision);
  const { name, config, state } = await loadWeights(options);
  return new Model(name, config, device, precision, new Parameters(state, device), maxPixels);
}

interface Planned {
  plan: NativePlan;
  /** See Embeddings. */
  wF?: Tensor | undefined;
}

/** A network on a device. Frees its memory on `dispose()` or at the end of a `using` block. */
export class Model implements Disposable {
  readonly #parameters: Parameters;
  readonly #network: Network;
  readonly #plans = new PlanCache<Planned>(KEPT_PLANS);
  #disposed = false;

  /** @internal */
  constructor(
    readonly name: string,
    readonly config: Readonly<ModelConfig>,
    readonly device: Device,
    readonly precision: Precision,
    parameters: Parameters,
    readonly maxPixels?: number | undefined,
  ) {
    this.#parameters = parameters;
    try {
      this.#network = makeNetwork(parameters, config);
    } catch (error) {
      parameters.dispose();
      throw error;
    }
  }

  /**
   * Finds the objects of one picture or of several (whose results do not depend on one another). Buffers and raw pixels are
   * copied when this is called: what happens to their memory afterwards changes nothing.
   *
   * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_IMAGE for a picture that cannot be read, ERR_NLRCNN_ARGUMENT,
   * ERR_NLRCNN_CANCELLED, ERR_NLRCNN_DISPOSED.
   */
  async segment(image: ImageInput, options?: SegmentOptions): Promise<Segmentation>;
  async segment(images: readonly ImageInput[], options?: SegmentOptions): Promise<Segmentation[]>;
  async segment(
    input: ImageInput | readonly ImageInput[],
    options: SegmentOptions = {},
  ): Promise<Segmentation | Segmentation[]> {
    checkOptions(options);
    const { signal } = options;
    if (!Array.isArray(input)) {
      return abortable(this.#segmentOne(captureImage(input as ImageInput), options), signal);
    }
    const images = captureAll(input);
    const results = new Array<Segmentation>(images.length);
    const atOnce = this.device === 'cpu' ? AT_ONCE.cpu : AT_ONCE.cuda;
    let next = 0;
    const work = async () => {
      try {
        while (next < images.length) {
          const index = next++;
          const image = images[index]!;
          images[index] = undefined; // its memory is free once it is segmented
          results[index] = await abortable(this.#segmentOne(image, options), signal);
        }
      } catch (error) {
        next = images.length; // nobody would see the results of the others
        throw error;
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, images.length) }, work));
    return results;
  }

  async #segmentOne(image: CapturedImage, options: SegmentOptions): Promise<Segmentation> {
    const start = performance.now();
    this.#check(options.signal);
    const pixels = await this.#decode(image);
    this.#check(options.signal);
    const decoded = performance.now();
    const { width, height } = pixels;
    const size = pictureSize(height, width, this.config);
    const outputs = await this.#planFor(pixels, size).run([pixels.data, geometryOf(size)]);
    const [objectness, proposals] = outputs.splice(-2) as [HostTensor, HostTensor];
    const found = readDetections(outputs, this.config, height, width);
    const caps = reachedCaps(this.config, {
      scores: found.map(({ score }) => score),
      objectness,
      proposals: Number(proposals.data[0]),
      score: options.score,
      most: options.maxDetections,
    });
    warnOfCaps(caps, this.config);
    const detections = found
      .filter(({ score }) => score >= (options.score ?? 0))
      .slice(0, options.maxDetections);
    const end = performance.now();
    const milliseconds = { decode: decoded - start, network: end - decoded, total: end - start };
    return { width, height, detections, ...(caps.length > 0 && { capped: caps }), milliseconds };
  }

  #decode(image: CapturedImage): Promise<Pixels> {
    const scaled = this.config.input_normalization === 'none';
    return decodeCaptured(image, { maxPixels: this.maxPixels, scaled });
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#disposed) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DISPOSED',
        'Expected a model in use but received one that was disposed of',
      );
    }
    if (signal?.aborted) throw cancelled(signal);
  }

  /**
   * Which other RoIs of a picture a detection attends to in the Non-local RoI block (arXiv 1807.05361), in fp32 or tf32.
   *
   * @throws NlrcnnError ERR_NLRCNN_UNSUPPORTED for a model without the block before that head, and in 16 bits;
   * ERR_NLRCNN_ARGUMENT for a detection that the picture does not have; else as `segment`.
   */
  async attention(image: ImageInput, options: AttentionOptions): Promise<Attention> {
    const { roi, head } = checkObject(options, 'an object', 'options');
    this.#check(undefined);
    const block = this.config.non_local_roi;
    const chosen = head ?? (block?.heads.includes('mask') ? 'mask' : 'box');
    if (!block?.heads.includes(chosen) || this.precision === 'fp16' || this.precision === 'bf16') {
      const received = block ? `${block.heads.join(', ')} in ${this.precision}` : 'none';
      throw new NlrcnnError(
        'ERR_NLRCNN_UNSUPPORTED',
        `Expected a Non-local RoI block before the ${chosen} head, in fp32 or tf32, but received ${received}`,
      );
    }
    const pixels = await this.#decode(captureImage(image));
    this.#check(undefined);
    const { width, height } = pixels;
    const size = pictureSize(height, width, this.config);
    const { plan, wF } = this.#attentionPlan(pixels, size, chosen);
    const outputs = await plan.run([pixels.data, geometryOf(size)]);
    const [boxes, counts, phi, psi] = outputs.splice(-4) as [HostTensor, HostTensor, HostTensor, HostTensor];
    const detections = readDetections(outputs, this.config, height, width);
    if (!Number.isInteger(roi) || roi < 0 || roi >= detections.length) {
      throw invalidArgument(`a detection of the picture, 0 to ${detections.length - 1},`, 'roi', roi);
    }
    const count = Number(counts.data[0]);
    const scale = chosen === 'box' ? size.boxScale : ([1, 1] as const);
    const rois = Array.from({ length: count }, (_, i) => {
      const box = [0, 1, 2, 3].map((c) => Number(boxes.data[4 * i + c]) * scale[c % 2]!);
      return { box: box as Detection['box'] };
    });
    const own = chosen === 'box' ? nearest(rois, detections[roi]!.box) : roi;
    const embeddings = {
      phi: phi.data as Float32Array,
      psi: psi.data as Float32Array,
      wF: wF && ((await wF.read()).data as Float32Array),
    };
    const rowLength = phi.shape.slice(1).reduce((a, b) => a * b, 1);
    const perHead = attentionRow(embeddings, own, count, rowLength, block).map((row) => Array.from(row));
    const weights = rois.map((_, j) => perHead.reduce((sum, row) => sum + row[j]!, 0) / perHead.length);
    return { width, height, head: chosen, rois, roi: own, weights, perHead, detections };
  }

  #attentionPlan(pixels: Pixels, size: PictureSize, head: 'box' | 'mask'): Planned {
    return this.#plan(pixels, size, head, (recorder, results) => {
      const { phi, psi, wF } = this.#network.embeddings(recorder, results, head)!;
      const rois =
        head === 'box'
          ? [results.proposals, results.proposalCount]
          : [results.boxes, results.detections.count];
      return { outputs: [...detectionTensors(results), ...rois, phi, psi], wF };
    });
  }

  #planFor(pixels: Pixels, size: PictureSize): NativePlan {
    return this.#plan(pixels, size, '', (_, results) => ({
      outputs: [...detectionTensors(results), results.proposalScores, results.proposalCount],
    })).plan;
  }

  /** One plan serves all pictures of a padded size, as long as their pixels fit into its input. */
  #plan(
    { data, channels }: Pixels,
    size: PictureSize,
    kind: string,
    choose: (recorder: Recorder, results: Results) => { outputs: Tensor[]; wF?: Tensor | undefined },
  ): Planned {
    const dtype = data instanceof Uint8Array ? 'uint8' : data instanceof Uint16Array ? 'uint16' : 'float32';
    const rows = 2 ** Math.ceil(Math.log2(data.length / channels));
    return this.#plans.get([...size.padded, rows, channels, dtype, kind].join(), () => {
      const recorder = new Recorder(this.device, this.precision);
      const input = recorder.input(dtype, [rows, 1, channels], true);
      const geometry = recorder.input('float32', [8]);
      const results = this.#network.forward(recorder, input, { ...size, geometry });
      const { outputs, wF } = choose(recorder, results);
      return { plan: recorder.finish(outputs), wF };
    });
  }

  /** Microseconds of each op for one picture: [op, µs][]. */
  async profile(image: ImageInput): Promise<[string, number][]> {
    this.#check(undefined);
    const pixels = await this.#decode(captureImage(image));
    this.#check(undefined);
    const size = pictureSize(pixels.height, pixels.width, this.config);
    return this.#planFor(pixels, size).profile([pixels.data, geometryOf(size)]);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees weights and plans at once, and may be called again; images that the device works on are finished. */
  dispose(): void {
    this.#disposed = true;
    this.#plans.clear();
    this.#parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** By index, so that a proxy's or a sparse array's holes are errors. */
function captureAll(input: readonly ImageInput[]): (CapturedImage | undefined)[] {
  const captured: CapturedImage[] = [];
  for (let i = 0; i < input.length; i++) captured.push(captureImage(input[i]!, `image ${i}`));
  return captured;
}

function checkOptions(options: SegmentOptions): void {
  const { score, maxDetections, signal } = checkObject(options, 'an object', 'options');
  if (score !== undefined && !(typeof score === 'number' && score >= 0 && score <= 1)) {
    throw invalidArgument('a number from 0 to 1', 'score', score);
  }
  if (maxDetections !== undefined && !(Number.isInteger(maxDetections) && maxDetections >= 0)) {
    throw invalidArgument('a non-negative integer', 'maxDetections', maxDetections);
  }
  checkSignal(signal);
}

function detectionTensors({ boxes, detections, mask }: Results): Tensor[] {
  const { scores, labels, count } = detections;
  return [boxes, scores, labels, count, ...(mask ? [mask.bytes, mask.offsets] : [])];
}

/** Index of the box that overlaps `of` most. */
function nearest(rois: readonly { box: Detection['box'] }[], of: Detection['box']): number {
  const overlaps = rois.map(({ box }) => {
    const across = Math.min(box[2], of[2]) - Math.max(box[0], of[0]);
    const down = Math.min(box[3], of[3]) - Math.max(box[1], of[1]);
    const both = across > 0 && down > 0 ? across * down : 0;
    const area = (b: Detection['box']) => (b[2] - b[0]) * (b[3] - b[1]);
    return both / (area(box) + area(of) - both);
  });
  return overlaps.reduce((best, value, i) => (value > overlaps[best]! ? i : best), 0);
}

/** The plan's outputs (boxes, scores, labels, count, and of masks: bytes, offsets) as objects. */
function readDetections(
  outputs: readonly HostTensor[],
  config: ModelConfig,
  height: number,
  width: number,
): Detection[] {
  const [boxes, scores, labels, count, bytes, offsets] = outputs.map(({ data }) => data) as [
    Float32Array,
    Float32Array,
    Int32Array,
    Int32Array,
    Uint8Array?,
    Int32Array?,
  ];
  const text = bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return Array.from({ length: count[0]! }, (_, i) => {
    const labelId = labels[i]!;
    const detection: Detection = {
      label: config.class_names[labelId] ?? String(labelId),
      labelId,
      score: scores[i]!,
      box: Array.from(boxes.subarray(4 * i, 4 * i + 4)) as Detection['box'],
    };
    if (text !== undefined && offsets) {
      detection.mask = { size: [height, width], counts: text.slice(offsets[i], offsets[i + 1]) };
    }
    return detection;
  });
}
