import { invalidArgument } from '../errors.js';
import type { Dataset, DatasetContents, Sample } from './dataset.js';

/** A data set whose samples are read from records that any thread can read. */
export interface Records<R> {
  classNames: readonly string[];
  categoryIds?: readonly number[];
  length: number;
  contents?: DatasetContents | undefined;
  record: (index: number) => R;
  /** `readSample` of the module at this path. */
  readSample: (record: R) => Promise<Sample>;
  module: string;
}

/** The `Dataset` of records. */
export function datasetOf<R>(records: Records<R>): Dataset {
  const { classNames, categoryIds, length, contents, readSample, module } = records;
  const record = (index: number): R => {
    if (!Number.isInteger(index) || index < 0 || index >= length) {
      throw invalidArgument(`an integer from 0 to ${length - 1}`, 'index', index);
    }
    return records.record(index);
  };
  return {
    classNames,
    ...(categoryIds && { categoryIds }),
    length,
    ...(contents && { contents }),
    sample: async (index) => readSample(record(index)),
    reader: { module, record },
  };
}
