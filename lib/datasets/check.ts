import { isNlrcnnError, NlrcnnError } from '../errors.js';
import { rleArea } from '../masks/rle.js';
import type { Dataset } from './dataset.js';

/**
 * What can be told of annotations before the first step: that all can be used, unless `onError` skips those that cannot.
 * @throws NlrcnnError ERR_NLRCNN_DATASET that says why the first cannot be used and how many there are.
 */
export function checkAnnotations(
  { contents }: Dataset,
  part: 'train' | 'val',
  onError: 'fail' | 'skip',
): void {
  if (!contents?.broken || onError === 'skip') return;
  const others = contents.broken > 1 ? ` (and ${contents.broken - 1} more such annotations)` : '';
  throw new NlrcnnError(
    'ERR_NLRCNN_DATASET',
    `Expected usable annotations in the data ${part === 'train' ? 'to learn from' : 'for evaluation'} but ${contents.firstBroken}${others}; on_data_error "skip" leaves their images out`,
  );
}

/**
 * Refuses to learn from nothing: reads samples until one has an object with a pixel. Those that cannot be read are passed over,
 * as the loader reports them.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where no sample has such an object.
 */
export async function checkObjects(dataset: Dataset): Promise<void> {
  const { contents, length } = dataset;
  let [crowds, empty, unread] = [contents?.crowds ?? 0, 0, 0];
  for (let i = 0; contents?.objects !== 0 && i < length; i++) {
    try {
      const { instances } = await dataset.sample(i);
      const objects = instances.filter(({ crowd }) => !crowd);
      if (objects.some(({ mask }) => rleArea(mask) > 0)) return;
      empty += objects.length;
      if (!contents) crowds += instances.length - objects.length;
    } catch (error) {
      if (!isNlrcnnError(error)) throw error;
      unread++;
    }
  }
  if (length > 0 && unread === length) return; // the loader says why
  const found =
    empty > 0
      ? `show no pixel of their ${empty} objects (are the coordinates pixels?)`
      : crowds > 0
        ? `have crowds alone (${crowds})`
        : 'have none';
  throw new NlrcnnError(
    'ERR_NLRCNN_DATASET',
    `Expected objects to learn from but the ${length} images of the training data ${found}: check its annotations, data.train_split and data.annotations`,
  );
}
