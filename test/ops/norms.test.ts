import test from 'ava';
import { ops } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens, outputError } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

for (const op of ['batch_norm', 'group_norm', 'scale_rows', 'split_channels', 'sum_places', 'reshape']) {
  const goldens = loadGoldens(op);
  for (const [device, testCase] of onDevices(loadCases(op))) {
    test(`${device} ${op} ${testCase.name} agrees with PyTorch`, async (t) => {
      for (const [name, { data, shape }] of Object.entries(await runCase(op, testCase, { device }))) {
        const error = outputError(goldens, testCase, data, name);
        t.true(error <= 1e-5, `${name}: relative error ${error}`);
        if (!testCase.sample_stride) t.deepEqual(shape, golden(goldens, `${testCase.name}.${name}`).shape);
      }
    });
  }
}

for (const device of DEVICES) {
  const ones = (...shape: number[]) =>
    Tensor.from(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, device);
  const affine = { weight: ones(3), bias: ones(3) };

  test(`${device} norms and weight ops refuse wrong arguments before anything runs`, (t) => {
    const shape = { code: 'ERR_NLRCNN_SHAPE' };
    t.throws(() => ops.batchNorm(ones(1, 3, 1, 1), affine), {
      ...shape,
      message: 'Expected more than one value of each channel for batch_norm but received [1, 3, 1, 1]',
    });
    t.throws(() => ops.batchNorm(ones(1, 4, 2, 2), affine), shape);
    t.throws(() => ops.batchNorm(ones(1, 3, 2, 2), { ...affine, runningMean: ones(3) }), {
      code: 'ERR_NLRCNN_ARGUMENT',
    });
    t.throws(() => ops.batchNorm(ones(1, 3, 2, 2), { ...affine, residual: ones(1, 3, 2, 1) }), shape);
    t.throws(() => ops.groupNorm(ones(1, 3, 2, 2), { ...affine, groups: 2 }), {
      code: 'ERR_NLRCNN_ARGUMENT',
      message: 'Expected groups of group_norm to divide 3 channels but received 2',
    });
    t.throws(() => ops.groupNorm(ones(1, 3, 2, 2), { ...affine, groups: 0 }), {
      code: 'ERR_NLRCNN_ARGUMENT',
    });
    t.throws(() => ops.scaleRows(ones(3, 2), ones(2)), shape);
    t.throws(() => ops.splitChannels(ones(3, 2), 3), shape);
    t.throws(() => ops.splitChannelsBackward(ones(3, 2), ones(3, 2), 5), shape);
    t.throws(() => ops.splitChannelsBackward(null, null, 5), { code: 'ERR_NLRCNN_ARGUMENT' });
    t.throws(() => ops.sumPlaces(ones(3, 10), 3), shape);
    t.throws(() => ops.reshape(ones(3, 2), [5]), {
      ...shape,
      message: 'Expected a shape of as many values as [3, 2] for reshape but received [5]',
    });
    t.throws(() => ops.reshape(ones(3, 2), [-3, -2]), { code: 'ERR_NLRCNN_ARGUMENT' });
  });

  test(`${device} of split_channels zeros stand for a part without a gradient`, async (t) => {
    const left = ops.splitChannelsBackward(ones(2, 1), null, 3);
    const right = ops.splitChannelsBackward(undefined, ones(2, 2), 3);
    t.deepEqual((await left.read()).data, Float32Array.of(1, 0, 0, 1, 0, 0));
    t.deepEqual((await right.read()).data, Float32Array.of(0, 1, 1, 0, 1, 1));
  });
}
