import { availableParallelism } from 'node:os';
import { checkCallback, checkObject, checkSignal } from '../arguments.js';
import { invalidArgument, NlrcnnError } from '../errors.js';
import { captureImage, inputOf } from '../images/input.js';
import type { ModelConfig } from '../models/model-config.js';
import { RandomStream } from '../random.js';
import { warnOnce } from '../warnings.js';
import { type AugmentOptions, checkAugmentOptions, type TrainingSample } from './augment.js';
import type { Dataset } from './dataset.js';
import type { DecodedSample } from './decoded.js';
import { failed, type SampleOutcome, type SampleSource } from './sample-job.js';
import { closedError, type SamplePool, samplePool } from './worker-pool.js';

/** Where in the endless row of samples a batch begins: `sample` samples of epoch `epoch` were taken. */
export interface DataPosition {
  epoch: number;
  sample: number;
}

export interface DataLoaderOptions {
  batchSize: number;
  /** 32 bits; order and augmentation follow from it alone. Default: 0 */
  seed?: number | undefined;
  /** A new order each epoch. Default: true */
  shuffle?: boolean | undefined;
  augment?: AugmentOptions | undefined;
  /** As in the model's config.json. Default: none */
  inputNormalization?: ModelConfig['input_normalization'] | undefined;
  /** Threads that read, decode and augment; 0: the event loop does. Default: a quarter of the cores, from 1 to 8 */
  workers?: number | undefined;
  /** Batches made ahead. Default: 2 */
  prefetch?: number | undefined;
  /** Where to begin: `next` of the last batch that was used. Default: the beginning */
  start?: DataPosition | undefined;
  /** The last batch of the last one may be smaller. Default: without end */
  epochs?: number | undefined;
  /** What a picture or annotation that cannot be read does: `skip` puts another sample, drawn by the seed, in its place. Default: fail */
  onError?: 'fail' | 'skip' | undefined;
  /** Told of each skipped sample once. Default: a warning of the process, NLRCNN_SKIPPED */
  onSkip?: ((error: Error, index: number) => void) | undefined;
  /** Bytes of decoded samples that may be kept for later epochs, shared by all workers. Default: 256 MiB */
  cache?: number | undefined;
  /** Ends iterations with ERR_NLRCNN_CANCELLED and closes the loader. */
  signal?: AbortSignal | undefined;
}

export interface Batch {
  samples: TrainingSample[];
  /** Of the first sample. */
  position: DataPosition;
  /** Where the batch behind this one begins: save it to resume. */
  next: DataPosition;
}

/** The options with defaults filled in. */
type Settled = {
  [K in Exclude<keyof DataLoaderOptions, 'signal' | 'onSkip'>]-?: NonNullable<DataLoaderOptions[K]>;
};

/** So many unreadable samples in a row are no accident. */
const MOST_SUBSTITUTES = 32;
const CACHE = 256 * 2 ** 20;
/** Tell apart the streams of one seed; that of a sample's augmentation is the seed's own. */
const STREAMS = { order: 0x6f72_6472, substitutes: 0x7375_6273 };

/**
 * Batches of decoded and augmented samples, made by worker threads ahead of the step that takes them:
 * `for await (const batch of loader)`. Epochs follow one another without a gap, so that every batch is full.
 *
 * What is in a batch depends on the data set, the options and the position only: not on the number of workers, the order in
 * which they finish, `prefetch`, `cache`, or where the run was interrupted. Each iteration begins at `start`. A loader keeps
 * no process alive while nobody waits for a batch.
 */
export class DataLoader implements AsyncIterable<Batch> {
  readonly #dataset: Dataset;
  readonly #options: Settled;
  readonly #onSkip: (error: Error, index: number) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #cache = new Map<number, DecodedSample>();
  #cached = 0;
  readonly #skipped = new Set<number>();
  readonly #orders = new Map<number, Uint32Array>();
  #pool: SamplePool | undefined;
  #closed = false;

  /** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for options that cannot be used. */
  constructor(dataset: Dataset, options: DataLoaderOptions) {
    checkObject(dataset, 'a data set', 'dataset');
    checkObject(options, 'an object', 'options');
    checkCallback(options.onSkip, 'onSkip');
    checkSignal(options.signal);
    this.#dataset = dataset;
    this.#options = {
      batchSize: options.batchSize,
      seed: options.seed ?? 0,
      shuffle: options.shuffle ?? true,
      augment: options.augment ?? {},
      inputNormalization: options.inputNormalization ?? 'none',
      workers: options.workers ?? Math.min(8, Math.max(1, Math.floor(availableParallelism() / 4))),
      prefetch: options.prefetch ?? 2,
      start: options.start ?? { epoch: 0, sample: 0 },
      epochs: options.epochs ?? Number.POSITIVE_INFINITY,
      onError: options.onError ?? 'fail',
      cache: options.cache ?? CACHE,
    };
    this.#onSkip = options.onSkip ?? ((error) => warnOnce('NLRCNN_SKIPPED', error.message));
    this.#signal = options.signal;
    this.#check();
    this.#signal?.addEventListener('abort', this.#abort);
  }

  /** Batches from `start` on. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const pool = this.#open();
    const ahead: Promise<Batch>[] = [];
    let position = this.#options.start;
    for (;;) {
      while (ahead.length <= this.#options.prefetch && position.epoch < this.#options.epochs) {
        const batch = this.#batch(pool, position);
        batch.catch(() => {}); // reported when its turn comes
        ahead.push(batch);
        position = this.#advance(position, this.#options.batchSize);
      }
      const first = ahead.shift();
      if (!first) return;
      pool.hold(1);
      let batch: Batch;
      try {
        batch = await first;
      } finally {
        pool.hold(-1);
      }
      this.#open(); // it may have been closed meanwhile
      yield batch;
    }
  }

  /** Ends the worker threads, and iterations with ERR_NLRCNN_CANCELLED; resolves when no thread is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#cache.clear();
    await this.#pool?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #abort = (): void => void this.close();

  #open(): SamplePool {
    if (this.#closed || this.#signal?.aborted) throw closedError();
    const { workers, seed, augment, inputNormalization } = this.#options;
    this.#pool ??= samplePool(workers, { seed, augment, inputNormalization });
    return this.#pool;
  }

  #advance({ epoch, sample }: DataPosition, count: number): DataPosition {
    const { length } = this.#dataset;
    const taken = sample + count;
    return { epoch: epoch + Math.floor(taken / length), sample: taken % length };
  }

  async #batch(pool: SamplePool, position: DataPosition): Promise<Batch> {
    const places: DataPosition[] = [];
    let next = position;
    while (places.length < this.#options.batchSize && next.epoch < this.#options.epochs) {
      places.push(next);
      next = this.#advance(next, 1);
    }
    const samples = await Promise.all(places.map((place) => this.#sample(pool, place)));
    return { samples, position, next };
  }

  async #sample(pool: SamplePool, place: DataPosition): Promise<TrainingSample> {
    const { seed, onError } = this.#options;
    const substitutes = new RandomStream(seed ^ STREAMS.substitutes, place.epoch, place.sample);
    let index = this.#order(place.epoch)[place.sample]!;
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#outcome(pool, index, place);
      if ('sample' in outcome) return outcome.sample;
      const { code, message, stack } = outcome.error;
      const error = new NlrcnnError(code, `Sample ${index}: ${message}`);
      if (stack) error.stack = stack;
      if (!outcome.broken || onError === 'fail') throw error;
      if (!this.#skipped.has(index)) this.#onSkip(error, index);
      this.#skipped.add(index);
      if (attempt === MOST_SUBSTITUTES) {
        throw new NlrcnnError(code, `${attempt} samples in a row cannot be read, the last: ${message}`, {
          cause: error,
        });
      }
      index = substitutes.int(0, this.#dataset.length);
    }
  }

  async #outcome(pool: SamplePool, index: number, place: DataPosition): Promise<SampleOutcome> {
    let source: SampleSource;
    try {
      source = await this.#source(index);
    } catch (cause) {
      return failed(cause, true);
    }
    const share = !('decoded' in source) && this.#cached < this.#options.cache;
    const outcome = await pool.run({ source, epoch: place.epoch, place: place.sample, share });
    if ('shared' in outcome && !this.#closed && !this.#cache.has(index)) {
      const { sample, bytes } = outcome.shared!;
      if (this.#cached + bytes <= this.#options.cache) {
        this.#cache.set(index, sample);
        this.#cached += bytes;
      }
    }
    return outcome;
  }

  async #source(index: number): Promise<SampleSource> {
    const decoded = this.#cache.get(index);
    if (decoded) return { decoded };
    const { reader } = this.#dataset;
    if (reader) return { module: reader.module, record: reader.record(index) };
    const sample = await this.#dataset.sample(index);
    if (this.#options.workers === 0) return { sample };
    // Workers get it later, when the data set may have used the image's buffer again.
    return { sample: { ...sample, image: inputOf(captureImage(sample.image)) } };
  }

  /** Indices of samples by their place in an epoch. */
  #order(epoch: number): Uint32Array {
    let order = this.#orders.get(epoch);
    if (!order) {
      const { shuffle, seed } = this.#options;
      const { length } = this.#dataset;
      order = shuffle
        ? new RandomStream(seed ^ STREAMS.order, epoch).permutation(length)
        : Uint32Array.from({ length }, (_, i) => i);
      for (const old of this.#orders.keys()) if (Math.abs(old - epoch) > 1) this.#orders.delete(old);
      this.#orders.set(epoch, order);
    }
    return order;
  }

  #check(): void {
    const { batchSize, seed, workers, prefetch, start, epochs, onError, cache, augment } = this.#options;
    const { length } = this.#dataset;
    checkObject(start, 'an object', 'start');
    checkObject(augment, 'an object', 'augment');
    const integers = {
      batchSize,
      seed,
      workers,
      prefetch,
      'start.epoch': start.epoch,
      'start.sample': start.sample,
    };
    const least: Record<string, number> = { batchSize: 1 };
    for (const [name, value] of Object.entries(integers)) {
      const from = least[name] ?? 0;
      if (!Number.isInteger(value) || value < from || value > 0xffff_ffff) {
        throw invalidArgument(`an integer from ${from} to 2^32 - 1`, name, value);
      }
    }
    if (!Number.isInteger(length) || length < 1)
      throw invalidArgument('at least one sample', 'dataset', length);
    if (start.sample >= length) {
      throw invalidArgument(`a place in an epoch of ${length} samples`, 'start.sample', start.sample);
    }
    if (typeof epochs !== 'number' || !(epochs > 0))
      throw invalidArgument('a positive number', 'epochs', epochs);
    if (typeof cache !== 'number' || !(cache >= 0))
      throw invalidArgument('a number of bytes', 'cache', cache);
    if (onError !== 'fail' && onError !== 'skip') throw invalidArgument('fail or skip', 'onError', onError);
    checkAugmentOptions(augment);
  }
}
