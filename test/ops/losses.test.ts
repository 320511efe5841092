import test from 'ava';
import { ops } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { loadCases, loadGoldens, outputError } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

for (const op of ['mask_loss', 'rpn_loss', 'sigmoid_cross_entropy', 'smooth_l1', 'softmax_cross_entropy']) {
  const goldens = loadGoldens(op);
  for (const [device, testCase] of onDevices(loadCases(op))) {
    test(`${device} ${op} ${testCase.name} agrees with PyTorch and torchvision`, async (t) => {
      for (const [name, { data, shape }] of Object.entries(await runCase(op, testCase, { device }))) {
        t.deepEqual(shape, [1]);
        const error = outputError(goldens, testCase, data, name);
        t.true(error <= 1e-5, `${name}: relative error ${error}`);
      }
    });
  }
}

for (const device of DEVICES) {
  const ints = (...data: number[]) => Tensor.from(Int32Array.from(data), [data.length], device);
  const floats = (shape: number[], ...data: number[]) =>
    Tensor.from(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => data[i] ?? 0),
      shape,
      device,
    );

  test(`${device} losses reject labels that are no class`, async (t) => {
    const code = { code: 'ERR_NLRCNN_ARGUMENT', message: /^Expected labels below .* but received (3|-1)$/ };
    await t.throwsAsync(ops.softmaxCrossEntropy(floats([2, 3]), ints(0, 3)).loss.read(), code);
    await t.throwsAsync(ops.softmaxCrossEntropy(floats([2, 3]), ints(-1, 0)).loss.read(), code);
    const boxes = [floats([1, 12]), floats([1, 4])] as const;
    await t.throwsAsync(ops.smoothL1(...boxes, { labels: ints(3) }).loss.read(), code);
    t.is((await ops.smoothL1(...boxes, { labels: ints(-1) }).loss.read()).data[0], 0);
    await t.throwsAsync(ops.maskLoss(floats([1, 3, 2, 2]), ints(3), floats([1, 2, 2])).loss.read(), code);
    const back = ops.maskLossBackward(floats([1, 2, 2]), ints(3), floats([1], 1), 3);
    await t.throwsAsync(back.read(), code);
  });

  test(`${device} rpn_loss rejects indices of no anchor, and the same twice`, async (t) => {
    const maps = [[floats([1, 3, 2, 2])], [floats([1, 12, 2, 2])]] as const;
    const loss = (...indices: number[]) =>
      ops.rpnLoss(...maps, {
        indices: ints(...indices),
        labels: floats([indices.length]),
        targets: floats([indices.length, 4]),
      }).objectness;
    for (const indices of [[0, 12], [-1], [5, 1, 5]])
      await t.throwsAsync(loss(...indices).read(), {
        code: 'ERR_NLRCNN_ARGUMENT',
        message: /sampled anchors/,
      });
    t.true(Math.abs(((await loss(11, 0).read()).data[0] as number) - Math.log(2)) < 1e-6);
  });

  test(`${device} a loss of NaN is NaN`, async (t) => {
    const loss = async ({ loss }: { loss: Tensor }) => (await loss.read()).data[0];
    t.is(await loss(ops.sigmoidCrossEntropy(floats([2], Number.NaN), floats([2]))), Number.NaN);
    t.is(await loss(ops.softmaxCrossEntropy(floats([1, 3], 0, Number.NaN), ints(0))), Number.NaN);
    t.is(await loss(ops.smoothL1(floats([2], Number.NaN), floats([2]))), Number.NaN);
  });

  test(`${device} losses of wrong shapes and dtypes are refused before anything runs`, (t) => {
    const shape = { code: 'ERR_NLRCNN_SHAPE' };
    t.throws(() => ops.sigmoidCrossEntropy(floats([2]), floats([3])), {
      ...shape,
      message: 'Expected targets of shape [2] but received [3]',
    });
    t.throws(() => ops.softmaxCrossEntropy(floats([2, 3]), ints(1)), shape);
    t.throws(() => ops.softmaxCrossEntropy(floats([2, 3]), floats([2])), { code: 'ERR_NLRCNN_DTYPE' });
    t.throws(() => ops.smoothL1(floats([2, 6]), floats([2, 4]), { labels: ints(1, 1) }), shape);
    t.throws(() => ops.smoothL1(floats([2]), floats([2]), { beta: -1 }), { code: 'ERR_NLRCNN_ARGUMENT' });
    t.throws(() => ops.smoothL1(floats([2]), floats([2]), { reduction: 'sum', normalizer: 0 }), {
      code: 'ERR_NLRCNN_ARGUMENT',
    });
    t.throws(() => ops.maskLoss(floats([1, 3, 2, 2]), ints(0), floats([1, 2, 3])), shape);
    t.throws(
      () =>
        ops.maxPool2dBackward(floats([1, 1, 2, 2]), floats([1, 1, 3, 3]), { kernel: [1, 1], stride: [1, 1] }),
      shape,
    );
    const samples = { indices: ints(0), labels: floats([1]), targets: floats([1, 4]) };
    t.throws(() => ops.rpnLoss([floats([1, 3, 2, 2])], [floats([1, 3, 2, 2])], samples), shape);
    t.throws(() => ops.rpnLoss([], [], samples), { code: 'ERR_NLRCNN_ARGUMENT' });
  });
}
