import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Device, Precision } from '../../dist/device.js';
import { Parameters } from '../../dist/layers/parameters.js';
import { loadModel, Model } from '../../dist/model.js';
import type { ModelConfig } from '../../dist/models/model-config.js';
import { parseConfig } from '../../dist/weights/config.js';
import { expectedShapes } from '../../dist/weights/expected.js';
import { seededWeights, type WeightTuning } from './seeded-weights.js';

const TEST_FOLDER = join(__dirname, '..', '..', 'test');

/** A case of test/cases/models.json. */
export interface ModelCase extends WeightTuning {
  name: string;
  seed: number;
  photo: string;
  config: Record<string, unknown>;
}

export interface ExpectedDetection {
  label: string;
  labelId: number;
  score: number;
  box: number[];
  mask?: { size: [number, number]; counts: string };
}

export interface Stage {
  shape: number[];
  stride: number;
  max_abs: number;
}

export const readJson = (...path: string[]) => JSON.parse(readFileSync(join(TEST_FOLDER, ...path), 'utf8'));

export const MODEL_CASES = readJson('cases', 'models.json') as ModelCase[];

export const photoPath = (name: string): string => join(TEST_FOLDER, 'fixtures', 'photos', name);

/** The case's config and its seeded weights. */
export function seededModel(
  modelCase: ModelCase,
  device: Device,
): { config: ModelConfig; parameters: Parameters } {
  const config = parseConfig(modelCase.config);
  const state = seededWeights(expectedShapes(config), modelCase.seed, modelCase);
  return { config, parameters: new Parameters(state, device) };
}

/** Absent in what goes to a GPU machine, where its size counts. */
export const HAS_BUNDLED = existsSync(
  join(TEST_FOLDER, '..', 'models', 'nuclei-r18-fpn128-nl', 'weights.safetensors'),
);

/** The bundled model, or a seeded network of the same kind where it is absent. */
export async function someModel(device: Device, precision: Precision = 'fp32'): Promise<Model> {
  if (HAS_BUNDLED) return loadModel({ device, precision });
  const modelCase = MODEL_CASES.find(({ name }) => name === 'nl-box')!;
  const { config, parameters } = seededModel(modelCase, device);
  return new Model(modelCase.name, config, device, precision, parameters);
}
