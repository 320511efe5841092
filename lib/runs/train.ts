import { checkCallback, checkObject, checkSignal, checkText } from '../arguments.js';
import { nameSome } from '../datasets/classes.js';
import type { Dataset } from '../datasets/dataset.js';
import { type Batch, DataLoader, type DataPosition } from '../datasets/loader.js';
import { type DeviceOption, eagerIn, resolveDevice, resolvePrecision } from '../device.js';
import type { UnfinishedFolder } from '../files/write-whole.js';
import { withSharp } from '../images/encode.js';
import type { HostParameter } from '../layers/parameters.js';
import { LossScale } from '../optim/loss-scale.js';
import { adaptState, initialState } from '../train/initialize.js';
import { TrainingNetwork } from '../train/network.js';
import { readClassNames, readStateDict } from '../weights/load.js';
import { type StoredTensor, safetensors } from '../weights/write-safetensors.js';
import { parseTrainingConfig, type TrainingConfig } from './config.js';
import { openRunData } from './data.js';
import { makeEvaluation } from './evaluation.js';
import { type RunObserver, type RunResult, runTraining } from './run.js';
import { RunFolder } from './run-folder.js';
import { makeAverage, makeOptimizer, makeSchedule } from './setup.js';

export interface TrainOptions extends RunObserver {
  /** Folder of the run. */
  out: string;
  /** Go on from the last checkpoint in `out`. Default: false */
  resume?: boolean | undefined;
  /** Default `auto`. */
  device?: DeviceOption | undefined;
  /** Ends the run after the step in progress, with a checkpoint. */
  signal?: AbortSignal | undefined;
  /** Told what the user should know, a line each. */
  note?(text: string): void;
  /** Told before the first step how many are done. */
  start?(step: number): void;
}

/**
 * Trains a network as a config (of `parseTrainingConfig`) says, with checkpoints, evaluations, the best model and a report in
 * `out`; see docs/training.md.
 *
 * @throws NlrcnnError ERR_NLRCNN_CONFIG for a config that does not fit data or run, ERR_NLRCNN_IO, ERR_NLRCNN_DATASET,
 * ERR_NLRCNN_WEIGHTS, ERR_NLRCNN_DEVICE; ERR_NLRCNN_DIVERGED where a loss is not finite, after its batch was saved.
 */
export async function train(given: TrainingConfig, options: TrainOptions): Promise<RunResult> {
  const { signal = new AbortController().signal, note = () => {} } = checkObject(
    options,
    'an object',
    'options',
  );
  checkText(options.out, "a folder's path", 'out');
  checkSignal(signal);
  for (const name of ['note', 'start', 'step', 'evaluating', 'evaluation', 'checkpoint'] as const) {
    checkCallback(options[name], name);
  }
  const config = parseTrainingConfig(given);
  const device = resolveDevice(options.device);
  const precision = resolvePrecision(device, config.precision);
  const { model, train: data, val, notes } = await openRunData(config);
  const own: TrainingConfig = { ...config, model };
  const folder = await RunFolder.open(options.out, own, options.resume ?? false);
  try {
    for (const text of [...folder.notes, ...notes]) note(text);
    const state = folder.found ? new Map(folder.found.tensors.weights) : await firstWeights(own, note);
    const { trainable_backbone_layers, resize, sampling } = own;
    using network = new TrainingNetwork(
      state,
      own.model,
      { ...sampling, trainable_backbone_layers, resize },
      device,
    );
    const found = folder.found?.tensors;
    using lossScale = precision === 'fp16' ? new LossScale(device) : undefined;
    using optimizer = makeOptimizer(own.optimizer, network.trainable, found?.optimizer, lossScale);
    using average = makeAverage(own.optimizer, network.trainable, found?.average);
    options.start?.(folder.found?.step ?? 0);
    return await runTraining<Batch>(
      {
        network,
        optimizer,
        average,
        context: eagerIn(precision),
        lossScale,
        schedule: makeSchedule(own),
        batches: (start) => batches(data, own, start, note),
        evaluate: val && makeEvaluation(own, val, device, note),
        saveBatch,
      },
      folder,
      signal,
      options,
    );
  } finally {
    await folder.close();
  }
}

async function firstWeights(
  { init, model, seed }: TrainingConfig,
  note: (text: string) => void,
): Promise<Map<string, HostParameter>> {
  if (init === null) return initialState(model, seed);
  const classNames = await readClassNames(init);
  const adapted = adaptState(await readStateDict(init), model, seed, classNames);
  const { state, initialised, extended, unused } = adapted;
  const list = (what: string, names: readonly string[]) => {
    if (names.length > 0) note(`${what}: ${nameSome(names)}`);
  };
  list('not in the given weights, so random', initialised);
  list('made wider for the block, by zeros', extended);
  list('in the given weights, but of no use here', unused);
  for (const text of adapted.notes) note(text);
  return state;
}

async function* batches(
  data: Dataset,
  { batch_size, seed, crop, data: settings, model, on_data_error }: TrainingConfig,
  start: DataPosition,
  note: (text: string) => void,
): AsyncGenerator<Batch, void, undefined> {
  const { horizontal_flip, vertical_flip, rotate90, scale, fill, min_area, brightness, contrast } =
    settings.augment;
  await using loader = new DataLoader(data, {
    batchSize: batch_size,
    seed,
    start,
    workers: settings.workers,
    cache: settings.cache_mib * 2 ** 20,
    inputNormalization: model.input_normalization,
    onError: on_data_error,
    onSkip: (error) => note(`skipped: ${error.message}`),
    augment: {
      horizontalFlip: horizontal_flip,
      verticalFlip: vertical_flip,
      rotate90,
      scale,
      fill,
      minArea: min_area,
      brightness,
      contrast,
      crop: crop ?? undefined,
    },
  });
  yield* loader;
}

/** `batch.safetensors` with all that the losses were made from, and the pictures as PNGs to look at. */
async function saveBatch(folder: UnfinishedFolder, { samples }: Batch): Promise<void> {
  const tensors = new Map<string, StoredTensor>();
  for (const [i, { width, height, channels, pixels, boxes, labels, masks, crowd }] of samples.entries()) {
    const count = labels.length;
    tensors.set(`${i}.pixels`, { shape: [height, width, channels], data: pixels });
    tensors.set(`${i}.boxes`, { shape: [count, 4], data: boxes });
    tensors.set(`${i}.labels`, { shape: [count], dtype: 'I32', data: labels });
    tensors.set(`${i}.masks`, { shape: [count, height, width], dtype: 'U8', data: masks });
    tensors.set(`${i}.crowd`, { shape: [count], dtype: 'U8', data: crowd });
    const bytes = Uint8Array.from(pixels, (value) => Math.round(255 * Math.min(Math.max(value, 0), 1)));
    await folder.write(
      `${i}.png`,
      await withSharp(bytes, { width, height, channels }, (image) => image.png()),
    );
  }
  await folder.fill('batch.safetensors', safetensors(tensors));
}
