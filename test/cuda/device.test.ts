import { join } from 'node:path';
import test from 'ava';
import { binding } from '../../dist/binding.js';
import { Recorder, resolveDevice, resolvePrecision } from '../../dist/device.js';
import type { Segmentation } from '../../dist/model.js';
import { ops } from '../../dist/ops/internal.js';
import { linear } from '../../dist/ops/linear.js';
import { maskRle } from '../../dist/ops/mask_rle.js';
import { Tensor } from '../../dist/tensor.js';
import { CUDA, EMULATED } from '../helpers/device.js';
import { someModel } from '../helpers/model-cases.js';

const SAMPLES = join(__dirname, '..', '..', 'models', 'samples');
const code = (name: string) => ({ code: `ERR_NLRCNN_${name}` });
const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => (i % 13) - 6);

test('auto takes the GPU, and precisions other than fp32 belong to it', (t) => {
  t.is(resolveDevice('auto'), CUDA);
  t.is(resolveDevice('cuda'), CUDA);
  t.is(resolveDevice('cpu'), 'cpu');
  t.throws(() => resolveDevice('cuda:99'), code('DEVICE'));
  t.is(resolvePrecision(CUDA, 'bf16'), 'bf16');
  t.throws(() => resolvePrecision('cpu', 'fp16'), code('UNSUPPORTED'));
  t.throws(() => new Recorder('cpu', 'fp16'), code('UNSUPPORTED'));
  t.throws(() => Tensor.from(ramp(1), [1], 'cuda:77'), code('DEVICE'));
});

test('tensors know their device, and ops take those of one device alone', async (t) => {
  const [here, there] = [Tensor.from(ramp(6), [2, 3], CUDA), Tensor.from(ramp(6), [2, 3])];
  t.is(here.device, CUDA);
  t.is(there.device, 'cpu');
  t.deepEqual((await here.read()).data, ramp(6));
  const error = t.throws(() => ops.linear(here, there), code('DEVICE'));
  t.regex(error!.message, /cuda:0 and on cpu/);
  t.throws(() => linear(new Recorder('cpu'), here, there), code('DEVICE'));
  here.dispose();
  t.throws(() => ops.linear(here, here), code('DISPOSED'));
});

test('a plan replays what it captured with new inputs, again and again', async (t) => {
  const recorder = new Recorder(CUDA);
  const x = recorder.input('float32', [5, 8]);
  const weight = Tensor.from(ramp(24), [3, 8], CUDA);
  const plan = recorder.finish([linear(recorder, x, weight, { relu: true })]);
  for (let i = 0; i < 4; i++) {
    const data = ramp(40).map((v) => v * (i + 1));
    const [out] = await plan.run([data]);
    const wanted = await ops
      .linear(Tensor.from(data, [5, 8]), Tensor.from(ramp(24), [3, 8]), { relu: true })
      .read();
    t.deepEqual(out!.data, wanted.data);
  }
  const runs = await Promise.all(
    Array.from({ length: 12 }, (_, i) => plan.run([ramp(40).map((v) => v + i)])),
  );
  for (const [i, [out]] of runs.entries()) {
    const wanted = await ops
      .linear(
        Tensor.from(
          ramp(40).map((v) => v + i),
          [5, 8],
        ),
        Tensor.from(ramp(24), [3, 8]),
        { relu: true },
      )
      .read();
    t.deepEqual(out!.data, wanted.data);
  }
  plan.dispose();
  t.throws(() => plan.run([ramp(40)]), code('DISPOSED'));
});

test('values that an op cannot take are errors after the run, and the device goes on', async (t) => {
  const level = Tensor.from(ramp(64), [1, 4, 4, 4], CUDA);
  const rois = Tensor.from(Float32Array.of(3, 0, 0, 2, 2), [1, 5], CUDA);
  const out = ops.roiAlign([level], rois, { outputSize: [2, 2], spatialScales: [1] });
  const error = await t.throwsAsync(out.read(), code('ARGUMENT'));
  t.regex(error!.message, /rois whose image index/);
  const labels = Tensor.from(Int32Array.of(7), [1], CUDA);
  const probs = ops.maskProbs(level, {
    weight: Tensor.from(ramp(8), [2, 4, 1, 1], CUDA),
    bias: Tensor.from(ramp(2), [2], CUDA),
    labels,
  });
  await t.throwsAsync(probs.read(), { ...code('ARGUMENT'), message: /labels.* 7/ });
  const good = Tensor.from(Float32Array.of(0, 0, 0, 2, 2), [1, 5], CUDA);
  await t.notThrowsAsync(ops.roiAlign([level], good, { outputSize: [2, 2], spatialScales: [1] }).read());
});

test('masks with more runs than there was room for make room', async (t) => {
  // Probabilities around the threshold in a checkerboard, pasted at their own size: a run for every pixel.
  const side = 254;
  const probs = Float32Array.from({ length: side * side }, (_, i) => ((i % side) + Math.floor(i / side)) % 2);
  const boxes = Float32Array.of(0.5, 0.5, side + 0.5, side + 0.5);
  const size = { height: side + 2, width: side + 2, threshold: 0.5 };
  const texts = await Promise.all(
    ([CUDA, 'cpu'] as const).map(async (device) => {
      const recorder = new Recorder(device);
      const { bytes, offsets } = maskRle(
        recorder,
        Tensor.from(probs, [1, side, side], device),
        Tensor.from(boxes, [1, 4], device),
        size,
      );
      const plan = recorder.finish([bytes, offsets]);
      const runs = [await plan.run([]), await plan.run([]), await plan.run([])];
      t.deepEqual(runs[1], runs[0]);
      t.deepEqual(runs[2], runs[0]);
      plan.dispose();
      return runs[0]!;
    }),
  );
  t.true(texts[0]![0]!.data.length > 10000);
  t.deepEqual(texts[0], texts[1]);
});

test('pictures of several sizes at once: each as alone, and in half precision much the same', async (t) => {
  const names = ['touching.png', 'sparse.png'].map((name) => join(SAMPLES, name));
  using model = await someModel(CUDA);
  using cpu = await someModel('cpu');
  const strip = ({ width, height, detections }: Segmentation) => ({ width, height, detections });
  const alone: Segmentation[] = [];
  for (const name of names) alone.push(await model.segment(name));
  const together = await model.segment([...names, ...names]);
  for (const [i, result] of together.entries())
    t.deepEqual(strip(result), strip(alone[i % names.length]!), `picture ${i}`);
  for (const [i, name] of names.entries()) {
    const wanted = await cpu.segment(name);
    t.is(alone[i]!.detections.length, wanted.detections.length);
  }
  using half = await someModel(CUDA, 'fp16');
  const { detections } = await half.segment(names[1]!);
  const sure = ({ detections }: { detections: { score: number }[] }) =>
    detections.filter(({ score }) => score > 0.5).length;
  t.true(Math.abs(sure({ detections }) - sure(alone[1]!)) <= 1);
});

(EMULATED ? test.serial : test.skip)(
  'out of memory says what was asked for; the CPU still works',
  async (t) => {
    process.env.NLRCNN_EMULATED_MEMORY = '20000000';
    try {
      using model = await someModel(CUDA);
      await t.throwsAsync(model.segment(join(SAMPLES, 'sparse.png')), {
        ...code('OUT_OF_MEMORY'),
        message: /\d+ bytes were asked for, \d+ are free/,
      });
    } finally {
      delete process.env.NLRCNN_EMULATED_MEMORY;
    }
    using cpu = await someModel('cpu');
    t.true((await cpu.segment(join(SAMPLES, 'sparse.png'))).detections.length > 0);
  },
);

test('the binding describes the GPU', (t) => {
  const info = binding().cudaInfo();
  t.is(info.problem, '');
  t.true(info.gpus.length > 0);
  t.regex(info.gpus[0]!.computeCapability, /^\d+\.\d+$/);
});
