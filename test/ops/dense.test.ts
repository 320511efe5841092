import test from 'ava';
import { onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens, outputError } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

const OPS = [
  'add',
  'add_broadcast',
  'concat',
  'conv2d',
  'conv_transpose2d',
  'linear',
  'mask_targets',
  'max_pool2d',
  'scale',
  'tap_bias',
  'upsample_add',
  'box_decode',
  'box_clip',
];

for (const op of OPS) {
  const goldens = loadGoldens(op);
  for (const [device, testCase] of onDevices(loadCases(op))) {
    test(`${device} ${op} ${testCase.name} agrees with PyTorch`, async (t) => {
      const { out } = await runCase(op, testCase, { device });
      const error = outputError(goldens, testCase, out!.data);
      t.true(error <= 1e-5, `relative error ${error}`);
      if (!testCase.sample_stride) t.deepEqual(out!.shape, golden(goldens, `${testCase.name}.out`).shape);
    });
  }
}
