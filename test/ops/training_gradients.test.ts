import test from 'ava';
import { Tape } from '../../dist/autograd/tape.js';
import { ops, opsFor } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { relativeError } from '../helpers/goldens.js';
import { GRADIENT_SEED, gradientCases, gradientError } from '../helpers/gradients.js';
import { makeInput } from '../helpers/inputs.js';
import { tapeCases, tapeGradients } from '../helpers/tape-gradients.js';

const OPS = [
  'add',
  'add_broadcast',
  'batch_norm',
  'conv2d',
  'conv_transpose2d',
  'group_norm',
  'linear',
  'mask_loss',
  'max_pool2d',
  'reshape',
  'rpn_loss',
  'scale',
  'scale_rows',
  'sigmoid_cross_entropy',
  'smooth_l1',
  'softmax_cross_entropy',
  'split_channels',
  'sum_places',
  'tap_bias',
  'upsample_add',
];

for (const op of OPS) {
  for (const [device, tapeCase] of onDevices(tapeCases(op))) {
    const { testCase, expected, limit } = tapeCase;
    test(`${device} gradient of ${op} ${testCase.name} agrees with PyTorch, the same bits each time`, async (t) => {
      t.true(expected.size > 0);
      const gradients = await tapeGradients(op, tapeCase, { device });
      for (const [name, wanted] of expected) {
        const { norm, worst } = gradientError(gradients.get(name)!, wanted);
        t.true(norm <= limit(name, device), `${name}: ${norm} in norm`);
        t.true(worst <= 1e-3, `${name}: ${worst} at worst`);
      }
      t.deepEqual(await tapeGradients(op, tapeCase, { device }), gradients);
    });
  }
}

// Against the goldens of their native gradients.
for (const op of ['roi_align', 'multi_scale_roi_align', 'non_local_roi']) {
  for (const [device, gradientCase] of onDevices(gradientCases(op).slice(0, 12))) {
    test(`${device} gradient of ${op} ${gradientCase.testCase.name} by a tape`, async (t) => {
      const gradients = await tapeGradients(op, gradientCase, { device }, GRADIENT_SEED);
      for (const [name, wanted] of gradientCase.expected) {
        const largest = Math.max(...(wanted.data as Float32Array).map(Math.abs));
        const { norm } = gradientError(gradients.get(name)!, wanted);
        t.true(norm <= gradientCase.limit(name, device) || largest < 1e-9, `${name}: ${norm} in norm`);
      }
    });
  }
}

for (const device of DEVICES) {
  test(`${device} a tape sums the gradients of a tensor that is used again, and shares those of add`, async (t) => {
    const x = Tensor.from(Float32Array.of(1, 2), [2], device);
    const one = Tensor.from(Float32Array.of(1, 1), [2], device);
    using tape = new Tape();
    tape.watch(x);
    const own = opsFor(tape);
    const twice = own.add(x, x);
    const sum = own.add(own.scale(twice, undefined, 3), own.add(twice, x));
    const grads = tape.backward([sum], one);
    t.deepEqual((await grads.get(x)!.read()).data, Float32Array.of(9, 9));
    t.false(one.disposed);
    t.true(twice.disposed && sum.disposed);
  });

  test(`${device} nothing flows back through what chooses boxes`, (t) => {
    const boxes = Tensor.from(new Float32Array(8), [2, 4], device);
    using tape = new Tape();
    tape.watch(boxes);
    const clipped = opsFor(tape).boxClip(boxes, [4, 4]);
    t.is(tape.backward([clipped], boxes).size, 0);
  });
}

for (const device of DEVICES) {
  test(`${device} rows beyond count give and get no gradient`, async (t) => {
    const random = (shape: number[], seed: number) =>
      Tensor.from(makeInput({ shape, seed, lo: -1, hi: 1 }).data, shape, device);
    const count = Tensor.from(Int32Array.of(3), [1], device);
    const [grad, y, weight] = [random([5, 6, 4, 4], 1), random([5, 7], 2), random([6, 7, 3, 3], 3)];
    const counted = ops.tapBiasBackward(grad, y, weight, count);
    const rows = async (tensor: Tensor, n: number) => {
      const { data, shape } = await tensor.read();
      return [data.slice(0, (n * data.length) / shape[0]!), data.slice((n * data.length) / shape[0]!)];
    };
    // The same of three rows alone.
    const first = async (tensor: Tensor) => {
      const [data] = await rows(tensor, 3);
      return Tensor.from(data as Float32Array, [3, ...tensor.shape.slice(1)], device);
    };
    const alone = ops.tapBiasBackward(await first(grad), await first(y), weight);
    for (const part of ['weight', 'bias'] as const) {
      const [own, wanted] = await Promise.all([counted[part].read(), alone[part].read()]);
      t.true(relativeError(own.data as Float32Array, wanted.data as Float32Array) <= 1e-6, part);
    }
    const [dy, dyBeyond] = await rows(counted.y, 3);
    t.true(relativeError(dy as Float32Array, (await alone.y.read()).data as Float32Array) <= 1e-6);
    t.deepEqual(dyBeyond, new Float32Array(2 * 7));
    const [dv, dvBeyond] = await rows(ops.addBroadcastBackward(grad, count), 3);
    t.deepEqual(dv, (await ops.addBroadcastBackward(await first(grad)).read()).data);
    t.deepEqual(dvBeyond, new Float32Array(2 * 6));
  });
}
