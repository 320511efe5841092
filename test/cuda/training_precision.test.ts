import test from 'ava';
import { CUDA } from '../helpers/device.js';
import { gradientError } from '../helpers/gradients.js';
import { tapeCases, tapeGradients } from '../helpers/tape-gradients.js';

// Inputs, activations and their gradients are rounded once each, and a ReLU here and there turns: so many roundings.
const MOST = { fp16: 32 * 2 ** -11, bf16: 32 * 2 ** -8 };

const OPS = [
  'add_broadcast',
  'batch_norm',
  'group_norm',
  'mask_loss',
  'rpn_loss',
  'tap_bias',
  'upsample_add',
];
// Of values from 100 to 101 rounding leaves little.
const LOST = new Set(['batch_norm far-from-zero']);

for (const op of OPS) {
  for (const precision of ['fp16', 'bf16'] as const) {
    test(`gradient of ${op} in ${precision}: off by few roundings`, async (t) => {
      for (const tapeCase of tapeCases(op)) {
        const { name } = tapeCase.testCase;
        if (LOST.has(`${op} ${name}`)) continue;
        const gradients = await tapeGradients(op, tapeCase, { device: CUDA, precision });
        for (const [input, wanted] of tapeCase.expected) {
          const { norm } = gradientError(gradients.get(input)!, wanted);
          t.true(norm <= MOST[precision], `${name} ${input}: ${norm} in norm`);
        }
      }
    });
  }
}
