import { parse } from 'node:path';
import type { FittedDataset } from '../datasets/relabel.js';
import { imageOf } from '../datasets/sample-image.js';
import type { Device } from '../device.js';
import { type ErrorCode, isNlrcnnError } from '../errors.js';
import { type EvaluatedPicture, evaluatePictures } from '../evaluate/images.js';
import { type HostParameter, Parameters } from '../layers/parameters.js';
import { Model } from '../model.js';
import type { TrainingConfig } from './config.js';
import { drawExample } from './examples.js';
import type { Evaluated } from './run.js';

/** Pictures of the report. */
const EXAMPLES = 4;

/** Codes of images and annotations that cannot be read; what a device fails on is not skipped. */
const OF_DATA: readonly ErrorCode[] = ['ERR_NLRCNN_DATASET', 'ERR_NLRCNN_IMAGE', 'ERR_NLRCNN_IO'];

/** Scores a state dict on pictures of a data set in the model's labels, as `config.evaluation` says; rejects where `signal` is aborted on the way. */
export function makeEvaluation(
  config: TrainingConfig,
  { dataset, labels }: Pick<FittedDataset, 'dataset' | 'labels'>,
  device: Device,
  note: (text: string) => void,
): (state: ReadonlyMap<string, HostParameter>, signal: AbortSignal) => Promise<Evaluated> {
  const { evaluation, model: settings } = config;
  const count = Math.min(evaluation.max_pictures ?? dataset.length, dataset.length);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * dataset.length) / count));
  const shown = new Set(
    Array.from({ length: Math.min(EXAMPLES, count) }, (_, i) =>
      Math.floor((i * count) / Math.min(EXAMPLES, count)),
    ),
  );
  return async (state, signal) => {
    using model = new Model('training', settings, device, 'fp32', new Parameters(new Map(state), device));
    const pairs: EvaluatedPicture[] = [];
    const examples: Evaluated['examples'] = [];
    for (const [place, index] of chosen.entries()) {
      try {
        const sample = await dataset.sample(index);
        const image = await imageOf(sample, settings.input_normalization === 'none');
        const result = await model.segment(image, { signal });
        pairs.push({ sample, result });
        if (!shown.has(place)) continue;
        const name = `${examples.length + 1}-${parse(sample.name).name}.png`;
        examples.push({
          name,
          picture: await drawExample(sample, image, result, settings, evaluation.score),
        });
      } catch (error) {
        const skipped =
          config.on_data_error === 'skip' && isNlrcnnError(error) && OF_DATA.includes(error.code);
        if (!skipped || signal.aborted) throw error;
        note(`skipped: ${error.message}`);
      }
    }
    const kinds = settings.architecture === 'maskrcnn' ? (['segm', 'bbox'] as const) : (['bbox'] as const);
    const metrics = evaluatePictures(pairs, labels, { ...evaluation, kinds });
    return { metrics, examples };
  };
}
