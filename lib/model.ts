import { performance } from 'node:perf_hooks';
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
import { decodeImage, type ImageInput, type Pixels } from './images/decode.js';
import { Parameters } from './layers/parameters.js';
import type { Rle } from './masks/rle.js';
import { makeNetwork, type Network } from './models/mask-rcnn.js';
import type { ModelConfig } from './models/model-config.js';
import { PlanCache } from './models/plan-cache.js';
import { geometryOf, type PictureSize, pictureSize } from './models/transform.js';
import { loadWeights, type WeightsSource } from './weights/load.js';

export interface LoadModelOptions extends WeightsSource {
  /** Default `auto`. */
  device?: DeviceOption | undefined;
  /** Default `fp32`. */
  precision?: Precision | undefined;
}

export interface SegmentOptions {
  /** Only detections of at least this score; those below the model's `box_score_thresh` are never made. */
  score?: number | undefined;
  /** At most this many, the best ones. */
  maxDetections?: number | undefined;
  /** Stops before the next picture; the promise then rejects with ERR_NLRCNN_CANCELLED. */
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
  milliseconds: { decode: number; network: number; total: number };
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
  const device = resolveDevice(options.device);
  const precision = resolvePrecision(device, options.precision);
  const { name, config, state } = await loadWeights(options);
  return new Model(name, config, device, precision, new Parameters(state, device));
}

/** A network on a device. Frees its memory on `dispose()` or at the end of a `using` block. */
export class Model implements Disposable {
  readonly #parameters: Parameters;
  readonly #network: Network;
  readonly #plans = new PlanCache<{ plan: NativePlan }>(KEPT_PLANS);
  #disposed = false;

  /** @internal */
  constructor(
    readonly name: string,
    readonly config: Readonly<ModelConfig>,
    readonly device: Device,
    readonly precision: Precision,
    parameters: Parameters,
  ) {
    this.#parameters = parameters;
    this.#network = makeNetwork(parameters, config);
  }

  /**
   * Finds the objects of one picture or of several (whose results do not depend on one another).
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
    if (!Array.isArray(input)) return this.#segmentOne(input as ImageInput, options);
    const images = input as readonly ImageInput[];
    const results = new Array<Segmentation>(images.length);
    const atOnce = this.device === 'cpu' ? AT_ONCE.cpu : AT_ONCE.cuda;
    let next = 0;
    const work = async () => {
      while (next < images.length) {
        const index = next++;
        results[index] = await this.#segmentOne(images[index]!, options);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, images.length) }, work));
    return results;
  }

  async #segmentOne(image: ImageInput, options: SegmentOptions): Promise<Segmentation> {
    const start = performance.now();
    this.#check(options.signal);
    const pixels = await decodeImage(image);
    this.#check(options.signal);
    const decoded = performance.now();
    const { width, height } = pixels;
    const size = pictureSize(height, width, this.config);
    const outputs = await this.#planFor(pixels, size).run([pixels.data, geometryOf(size)]);
    const detections = readDetections(outputs, this.config, height, width)
      .filter(({ score }) => score >= (options.score ?? 0))
      .slice(0, options.maxDetections);
    const end = performance.now();
    const milliseconds = { decode: decoded - start, network: end - decoded, total: end - start };
    return { width, height, detections, milliseconds };
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#disposed) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DISPOSED',
        'Expected a model in use but received one that was disposed of',
      );
    }
    if (signal?.aborted) {
      throw new NlrcnnError('ERR_NLRCNN_CANCELLED', 'Segmentation was cancelled', { cause: signal.reason });
    }
  }

  /** One plan serves all pictures of a padded size, as long as their pixels fit into its input. */
  #planFor({ data, channels }: Pixels, size: PictureSize): NativePlan {
    const dtype = data instanceof Uint8Array ? 'uint8' : data instanceof Uint16Array ? 'uint16' : 'float32';
    const rows = 2 ** Math.ceil(Math.log2(data.length / channels));
    return this.#plans.get([...size.padded, rows, channels, dtype].join(), () => {
      const recorder = new Recorder(this.device, this.precision);
      const input = recorder.input(dtype, [rows, 1, channels], true);
      const geometry = recorder.input('float32', [8]);
      const results = this.#network.forward(recorder, input, { ...size, geometry });
      const { scores, labels, count } = results.detections;
      const masks = results.mask ? [results.mask.bytes, results.mask.offsets] : [];
      return { plan: recorder.finish([results.boxes, scores, labels, count, ...masks]) };
    }).plan;
  }

  /** Microseconds of each op for one picture: [op, µs][]. */
  async profile(image: ImageInput): Promise<[string, number][]> {
    this.#check(undefined);
    const pixels = await decodeImage(image);
    const size = pictureSize(pixels.height, pixels.width, this.config);
    return this.#planFor(pixels, size).profile([pixels.data, geometryOf(size)]);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees weights and plans at once; pictures in progress are finished. */
  dispose(): void {
    this.#disposed = true;
    this.#plans.clear();
    this.#parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function checkOptions({ score, maxDetections, signal }: SegmentOptions): void {
  if (score !== undefined && !(typeof score === 'number' && score >= 0 && score <= 1)) {
    throw invalidArgument('a number from 0 to 1', 'score', score);
  }
  if (maxDetections !== undefined && !(Number.isInteger(maxDetections) && maxDetections >= 0)) {
    throw invalidArgument('a non-negative integer', 'maxDetections', maxDetections);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidArgument('an AbortSignal', 'signal', signal);
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
