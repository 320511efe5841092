import { pathToFileURL } from 'node:url';
import { type ErrorCode, isNlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import { RandomStream } from '../random.js';
import { type AugmentOptions, augmentSample, drawAugmentation, type TrainingSample } from './augment.js';
import type { Sample } from './dataset.js';
import { type DecodedSample, decodeSample, shareSample } from './decoded.js';

/** The same for all samples of a loader. */
export interface SampleSettings {
  seed: number;
  augment: AugmentOptions;
  inputNormalization: ModelConfig['input_normalization'];
}

/** What a sample is made from: a record for the reader's module, a sample as read, or one decoded before. */
export type SampleSource =
  | { module: string; record: unknown }
  | { sample: Sample }
  | { decoded: DecodedSample };

/** One sample to make; its random numbers depend on the seed, the epoch and its place in the epoch alone. */
export interface SampleJob {
  source: SampleSource;
  epoch: number;
  place: number;
  /** Return the decoded sample in shared memory. */
  share: boolean;
}

/** Values that survive structured cloning. */
export type SampleOutcome =
  | { sample: TrainingSample; shared?: { sample: DecodedSample; bytes: number } }
  | { error: { code: ErrorCode; message: string; stack: string | undefined }; broken: boolean };

type ReadSample = (record: unknown) => Promise<Sample>;

const readers = new Map<string, Promise<ReadSample>>();

/** Never rejects: `broken` tells a picture or annotation that cannot be read from a failure of the loader. */
export async function runSampleJob(job: SampleJob, settings: SampleSettings): Promise<SampleOutcome> {
  const { source, epoch, place, share } = job;
  let broken = !('module' in source);
  try {
    const read = 'module' in source ? await readerOf(source.module) : undefined;
    broken = true;
    const decoded =
      'decoded' in source
        ? source.decoded
        : await decodeSample(
            'sample' in source ? source.sample : await read!(source.record),
            settings.inputNormalization,
          );
    broken = false;
    const stream = new RandomStream(settings.seed, epoch, place);
    const augmentation = drawAugmentation(settings.augment, [decoded.height, decoded.width], stream);
    const sample = augmentSample(decoded, augmentation, settings.augment);
    return { sample, ...(share && { shared: shareSample(decoded) }) };
  } catch (cause) {
    return failed(cause, broken);
  }
}

/** An error as a value. */
export function failed(cause: unknown, broken: boolean): SampleOutcome {
  const { message, stack } = cause instanceof Error ? cause : new Error(String(cause));
  const code = isNlrcnnError(cause) ? cause.code : broken ? 'ERR_NLRCNN_DATASET' : 'ERR_NLRCNN_INTERNAL';
  return { error: { code, message, stack }, broken };
}

/** `readSample` of a module. */
export function readerOf(module: string): Promise<ReadSample> {
  let reader = readers.get(module);
  if (!reader) {
    reader = import(pathToFileURL(module).href).then((exports) => {
      const read = exports.readSample ?? exports.default?.readSample;
      if (typeof read !== 'function') throw new Error(`Expected ${module} to export readSample`);
      return read as ReadSample;
    });
    readers.set(module, reader);
  }
  return reader;
}
