import { join } from 'node:path';
import type { Augmentation, AugmentOptions, DatasetFormat, OpenDatasetOptions } from '../../dist/index.js';
import { readJson } from './model-cases.js';

/** Folder of test/fixtures/datasets, as test/goldens/datasets.py made it. */
export const fixture = (name: string): string =>
  join(__dirname, '..', '..', 'test', 'fixtures', 'datasets', name);

export interface ExpectedInstance {
  label: number;
  crowd: boolean;
  box: [number, number, number, number];
  area: number;
  /** Packed bits, row-major, base64. */
  mask: string;
}

interface Goldens {
  datasets: {
    options: { format: DatasetFormat; data: string; split?: string };
    classNames: string[];
    categoryIds?: number[];
    samples: {
      id: number | string;
      size: [number, number];
      instances: ExpectedInstance[];
      ignored?: string;
    }[];
  }[];
  augmentations: {
    name: string;
    dataset: number;
    sample: number;
    percentiles: [number, number] | null;
    augmentation: Augmentation;
    options: AugmentOptions;
    expected: { kept: number[]; masks: string[]; boxes: number[][] };
  }[];
}

export const GOLDENS = readJson('goldens', 'datasets.json') as Goldens;

/** How a data set of the goldens is opened. */
export const optionsOf = (index: number): OpenDatasetOptions => {
  const { options } = GOLDENS.datasets[index]!;
  return { ...options, data: fixture(options.data) };
};

/** 0 and 1 from packed bits. */
export function unpack(bits: string, length: number): Uint8Array {
  const packed = Buffer.from(bits, 'base64');
  return Uint8Array.from({ length }, (_, i) => (packed[i >> 3]! >> (7 - (i & 7))) & 1);
}
