import { join } from 'node:path';
import { loadCases, type OpCase } from '../../dist-test/helpers/goldens.js';
import { makeInput } from '../../dist-test/helpers/inputs.js';
import { HAS_BUNDLED, MODEL_CASES, photoPath, seededModel } from '../../dist-test/helpers/model-cases.js';

export const ROOT = join(__dirname, '..', '..');
export { HAS_BUNDLED, loadCases, MODEL_CASES, makeInput, type OpCase, photoPath, seededModel };

/** The ResNet-50 network of the end-to-end benchmark: 640 × 480 → 1066 × 800. */
export const NETWORK = MODEL_CASES.find(({ name }) => name === 'r50-landscape')!;
