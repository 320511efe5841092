import test from 'ava';
import { Recorder } from '../../dist/device.js';
import { ops, Tensor } from '../../dist/index.js';
import { topk } from '../../dist/ops/topk.js';

const ramp = (...shape: number[]) =>
  Tensor.from(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
  );

test('a tensor comes back as it went up', async (t) => {
  const arrays = [
    new Float32Array([1, -2.5]),
    new Uint8Array([0, 255]),
    new Uint16Array([0, 65535]),
    new Int32Array([-1, 2 ** 31 - 1]),
    new BigInt64Array([-1n, 2n ** 62n]),
  ];
  for (const data of arrays) {
    const { shape, data: read } = await Tensor.from(data, [2, 1]).read();
    t.deepEqual(shape, [2, 1]);
    t.deepEqual(read, data);
  }
  const view = await ramp(2, 3).toNdarray();
  t.is(view.get(1, 2), 5);
});

test('large tensors too, and empty ones', async (t) => {
  const { data } = await ramp(1, 40, 50, 60).read();
  t.is(data[data.length - 1], 40 * 50 * 60 - 1);
  t.is((await ramp(0, 4).read()).data.length, 0);
});

test('wrong arguments are refused before anything runs', (t) => {
  const code = (name: string) => ({ code: `ERR_NLRCNN_${name}` });
  t.throws(() => Tensor.from([1, 2] as never, [2]), code('DTYPE'));
  t.throws(() => Tensor.from(new Float32Array(3), [2]), code('SHAPE'));
  t.throws(() => Tensor.from(new Float32Array(0), [-1, 0]), code('SHAPE'));
  const levels = [ramp(1, 4, 5, 5)];
  t.throws(() => ops.roiAlign(levels, ramp(3, 4, 2), { outputSize: [7, 7], spatialScales: [1] }), {
    ...code('SHAPE'),
    message: 'Expected rois of shape [K, 5] but received [3, 4, 2]',
  });
  t.throws(
    () => ops.roiAlign(levels, ramp(3, 5), { outputSize: [0, 7], spatialScales: [1] }),
    code('ARGUMENT'),
  );
  t.throws(
    () => ops.roiAlign(levels, ramp(3, 5), { outputSize: [7, 7], spatialScales: [1, 2] }),
    code('ARGUMENT'),
  );
  t.throws(() => ops.roiAlign([], ramp(3, 5), { outputSize: [7, 7], spatialScales: [] }), code('ARGUMENT'));
  t.throws(() => ops.nms(ramp(3, 4), ramp(2), { threshold: 0.5 }), code('SHAPE'));
  t.throws(() => ops.nms(ramp(3, 4), ramp(3), { threshold: 2 }), code('ARGUMENT'));
  t.throws(() => ops.conv2d(ramp(1, 3, 4, 4), ramp(2, 4, 1, 1)), code('SHAPE'));
  t.throws(() => ops.conv2d(ramp(1, 3, 4, 4), ramp(2, 3, 9, 9)), code('SHAPE'));
  t.throws(() => ops.linear(ramp(2, 3), Tensor.from(new Int32Array(3), [1, 3]) as never), code('DTYPE'));
  t.throws(
    () =>
      ops.preprocess(ramp(4, 4, 2), {
        outputSize: [4, 4],
        paddedSize: [4, 4],
        mean: [0, 0, 0],
        std: [1, 1, 1],
      }),
    code('SHAPE'),
  );
  t.throws(() => ops.conv2d({ native: {} } as never, ramp(2, 3, 1, 1)), code('ARGUMENT'));
});

test('an output whose size overflows is refused', (t) => {
  const padding = [1 << 20, 1 << 20] as const;
  t.throws(() => ops.conv2d(ramp(1000, 1, 1, 1), ramp(1000, 1, 1, 1), { padding }), {
    code: 'ERR_NLRCNN_SHAPE',
    message: /below 2\^40 values/,
  });
});

test('what is read twice is there twice', async (t) => {
  const boxes = Tensor.from(new Float32Array(4 * 40000), [40000, 4]);
  const keep = ops.nms(boxes, ramp(40000), { threshold: 1 });
  const [one, two] = [(await keep.read()).data as Int32Array, (await keep.read()).data as Int32Array];
  t.is(one.length, 40000);
  one.fill(7);
  t.is(two[0], 39999);
});

test('an image index out of range rejects the read, and what is made of the failed output too', async (t) => {
  const rois = Tensor.from(new Float32Array([3, 0, 0, 2, 2]), [1, 5]);
  const pooled = ops.roiAlign([ramp(1, 4, 5, 5)], rois, { outputSize: [2, 2], spatialScales: [1] });
  const next = ops.linear(pooled, ramp(3, 16));
  await t.throwsAsync(pooled.read(), { code: 'ERR_NLRCNN_ARGUMENT', message: /image index is below 1/ });
  await t.throwsAsync(next.read(), { code: 'ERR_NLRCNN_ARGUMENT' });
});

test('a disposed tensor is refused, yet what is queued still has it', async (t) => {
  const x = ramp(1, 4, 6, 6);
  const y = ops.maxPool2d(x, { kernel: [2, 2], stride: [2, 2] });
  x.dispose();
  t.true(x.disposed);
  t.is(x.native.bytes, 0);
  t.throws(() => ops.maxPool2d(x, { kernel: [2, 2], stride: [2, 2] }), { code: 'ERR_NLRCNN_DISPOSED' });
  await t.throwsAsync(x.read(), { code: 'ERR_NLRCNN_DISPOSED' });
  t.is((await y.read()).data[0], 7);
});

test('topk: falling, ties by index, NaN first, k beyond the end', async (t) => {
  const values = Tensor.from(new Float32Array([1, 3, 3, -1, Number.NaN, 0]), [6]);
  const { values: top, indices } = ops.topk(values, 9);
  t.deepEqual(Array.from((await indices.read()).data as Int32Array), [4, 1, 2, 0, 5, 3]);
  t.is((await top.read()).data[1], 3);
  t.deepEqual(ops.topk(values, 2).indices.shape, [2]);
});

test('a plan gives what the ops give one by one, run after run', async (t) => {
  const recorder = new Recorder();
  const input = recorder.input('float32', [5]);
  const { values, indices } = topk(recorder, input, 3);
  const plan = recorder.finish([indices, values]);
  for (const data of [new Float32Array([5, 1, 4, 2, 3]), new Float32Array([0, 9, 0, 8, 7])]) {
    const [order] = await plan.run([data]);
    const eager = await ops.topk(Tensor.from(data, [5]), 3).indices.read();
    t.deepEqual(order!.data, eager.data);
  }
  t.throws(() => void plan.run([new Float32Array(4)]), { code: 'ERR_NLRCNN_SHAPE' });
  t.throws(() => void plan.run([new Int32Array(5)]), { code: 'ERR_NLRCNN_DTYPE' });
  t.throws(() => void plan.run([]), { code: 'ERR_NLRCNN_ARGUMENT' });
  plan.dispose();
  t.throws(() => void plan.run([new Float32Array(5)]), { code: 'ERR_NLRCNN_DISPOSED' });
});

test('values of a recording do not mix with tensors or other recordings', (t) => {
  const [one, other] = [new Recorder(), new Recorder()];
  const value = one.input('float32', [5]);
  t.throws(() => topk(other, value, 1), { code: 'ERR_NLRCNN_ARGUMENT' });
  t.throws(() => ops.topk(value, 1), { code: 'ERR_NLRCNN_ARGUMENT' });
});
