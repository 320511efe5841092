// The config of the tests' small training, for the emulation: with few proposals.

import { readFileSync } from 'node:fs';
import { parseTrainingConfig } from '../dist/index.mjs';
import helper from '../dist-test/helpers/small-training.js';

export async function smallTraining(steps) {
  const config = JSON.parse(readFileSync(await helper.smallConfig({ steps }), 'utf8'));
  Object.assign(config.model, { rpn_pre_nms_top_n: 50, rpn_post_nms_top_n: 20 });
  return parseTrainingConfig(config);
}
