import { ensure } from '../findings.mjs';
import { mutateJson } from '../mutate.mjs';
import { load } from '../package.mjs';

const { parseConfig } = load('weights/config.js');
const { expectedShapes } = load('weights/expected.js');
const { parseTrainingConfig, applyOverride } = load('runs/config.js');

const model = parseConfig({ non_local_roi: { heads: ['box', 'mask'] } });
const training = parseTrainingConfig({ data: { dir: '.', format: 'coco' }, model: { backbone: 'resnet18' } });
const texts = [
  {},
  model,
  { ...model, input_normalization: { percentiles: [1, 99.8] }, class_names: ['a'] },
  training,
  { data: training.data, steps: 10 },
];

export const seeds = () => texts.map((value) => Buffer.from(JSON.stringify(value)));
const keysOf = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, own]) => [key, ...keysOf(own)])
    : [];
export const options = { keys: [...new Set([...keysOf(model), ...keysOf(training)])] };
export const mutate = mutateJson;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export function run(bytes) {
  let value;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    const config = {};
    applyOverride(config, bytes.toString('utf8'));
    return;
  }
  let accepted = 0;
  let refusal;
  for (const parse of [parseConfig, parseTrainingConfig]) {
    try {
      const config = parse(value);
      accepted++;
      ensure(
        same(parse(JSON.parse(JSON.stringify(config))), config),
        `${parse.name} of what it gave is something else`,
      );
      if (parse === parseConfig) expectedShapes(config);
    } catch (error) {
      if (!error.code) throw error;
      refusal = error;
    }
  }
  if (accepted === 0) throw refusal;
}
