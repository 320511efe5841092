import test from 'ava';
import { Tape } from '../../dist/autograd/tape.js';
import { type Device, eagerIn, type Precision } from '../../dist/device.js';
import { Tensor } from '../../dist/tensor.js';
import { CUDA } from '../helpers/device.js';
import { gradientError } from '../helpers/gradients.js';
import { tapeCases, tapeGradients } from '../helpers/tape-gradients.js';
import { loadTrainingCase, TRAINING_CASES } from '../helpers/training-cases.js';

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

/** Gradients of a whole network by parameter; `upstream` is a loss scale. */
async function networkGradients(name: string, device: Device, precision: Precision, upstream = 1) {
  const testCase = TRAINING_CASES.find((own) => own.name === name)!;
  const { network, samples, given } = loadTrainingCase(testCase, device);
  const tape = new Tape(eagerIn(precision));
  const losses = await network.losses(tape, { samples }, { seed: 1, step: 0, given });
  const all = tape.backward(
    Object.values(losses) as Tensor[],
    Tensor.from(Float32Array.of(upstream), [1], device),
  );
  const found = new Map<string, Float32Array>();
  for (const { name: parameter, tensor } of network.trainable) {
    const { data } = await all.get(tensor)!.read();
    found.set(
      parameter,
      (data as Float32Array).map((value) => value / upstream),
    );
  }
  network.dispose();
  return found;
}

test('gradients of a whole network in half precision are close to those in float32', async (t) => {
  const name = 'faster-r18';
  const wanted = await networkGradients(name, 'cpu', 'fp32');
  for (const [precision, upstream, most] of [
    ['fp16', 1024, 0.01],
    ['bf16', 1, 0.06],
  ] as const) {
    const found = await networkGradients(name, CUDA, precision, upstream);
    let [difference, whole] = [0, 0];
    for (const [parameter, values] of wanted) {
      for (const [i, value] of values.entries()) {
        difference += (found.get(parameter)![i]! - value) ** 2;
        whole += value ** 2;
      }
    }
    const error = Math.sqrt(difference / whole);
    t.true(error <= most, `${precision}: ${error} in norm`);
  }
});
