import test from 'ava';
import { eager, Recorder } from '../../dist/device.js';
import { Tensor } from '../../dist/tensor.js';

// Calls that once read beyond their memory, ended the process or asked for all of it; found by fuzzing (native/fuzz).

const ARGUMENT = { code: 'ERR_NLRCNN_ARGUMENT' };
const floats = (...shape: number[]) =>
  Tensor.from(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5), shape);
const integers = (...values: number[]) => Tensor.from(Int32Array.from(values), [values.length]);

/** Inputs of the Non-local block for `rows` RoIs of 2 channels and 2 × 2 places. */
function blockInputs(rows: number, segments: Tensor | null): (Tensor | null)[] {
  const layer = () => [floats(2, 2, 1, 1), floats(2)];
  return [
    floats(rows, 2, 2, 2),
    ...layer(),
    ...layer(),
    ...layer(),
    floats(2, 2, 3, 3),
    floats(2),
    null,
    segments,
  ];
}

for (const lengths of [[5], [2, 2], [-1, 3], [2 ** 31 - 1], [-(2 ** 31)]]) {
  test(`the Non-local block and its gradient refuse segments of ${lengths} rows of 3`, async (t) => {
    const inputs = blockInputs(3, integers(...lengths));
    await t.throwsAsync(eager.op('non_local_roi', inputs, {})[0]!.read(), ARGUMENT);
    const [dx] = eager.op('non_local_roi_backward', [floats(3, 2), ...inputs], {});
    await t.throwsAsync(dx!.read(), ARGUMENT);
  });
}

test('a block that has no rows has a gradient', async (t) => {
  for (const settings of [{}, { rows_per_segment: 0 }]) {
    const [dx, weight] = eager.op(
      'non_local_roi_backward',
      [floats(0, 2), ...blockInputs(0, integers(0))],
      settings,
    );
    t.is((await dx!.read()).data.length, 0);
    t.true((await weight!.read()).data.every((v) => v === 0));
  }
});

test('a product of nothing is zero', async (t) => {
  const [out] = eager.op('tap_bias', [floats(2, 0), floats(4, 0, 3, 3)], { height: 2, width: 2 });
  t.deepEqual(
    Array.from((await out!.read()).data as Float32Array),
    Array.from({ length: 2 * 4 * 4 }, () => 0),
  );
});

test('samples of a RoI are bounded', async (t) => {
  const inputs = [floats(1, 5), null, floats(1, 2, 4, 4)];
  const settings = { output_size: [2, 2], spatial_scales: [1] };
  t.throws(() => eager.op('roi_align', inputs, { ...settings, sampling_ratio: 2 ** 29 }), ARGUMENT);
  // Widths of 0 and far corners, with more samples than are looked at one by one.
  for (const box of [
    [0, 1, 1, 1, 1],
    [0, -1e9, -1e9, 1e9, 1e9],
    [0, 3, 3, -3, -3],
    [0, Number.NaN, 0, 2, 2],
  ]) {
    for (const sampling_ratio of [0, 100]) {
      const rois = Tensor.from(Float32Array.from(box), [1, 5]);
      const [out] = eager.op('roi_align', [rois, null, inputs[2]!], {
        ...settings,
        sampling_ratio,
        aligned: true,
      });
      t.is((await out!.read()).data.length, 8, `${box}`);
    }
  }
  const window = (...values: number[]) => Tensor.from(Int32Array.from(values), [1, 9]);
  const bitmaps = Tensor.from(new Uint8Array(4), [4]);
  for (const sizes of [
    [0, 0, 0, 2, 2, 2, 2, 2 ** 30, 2 ** 30],
    [0, -(2 ** 31), 0, 2, 2, 2, 2, 2, 2],
    [2, 0, 0, 2, 2, 2, 2, 2, 2],
  ]) {
    const rois = Tensor.from(Float32Array.from([0, 0, 0, 1e9, 1e9]), [1, 5]);
    const [out] = eager.op('mask_targets', [bitmaps, window(...sizes), rois], { size: 2 });
    await t.throwsAsync(out!.read(), ARGUMENT);
  }
});

test('masks of more pixels than runs can count are refused', async (t) => {
  const inputs = [floats(1, 3, 3), floats(1, 4)];
  t.throws(() => eager.op('mask_rle', inputs, { height: 2 ** 20, width: 2 ** 20 }), ARGUMENT);
  for (const [height, width] of [
    [0, 5],
    [Number.NaN, 5],
    [1e9, 1e9],
    [-1e19, 5],
  ] as const) {
    const geometry = Tensor.from(Float32Array.from([height, width, 1, 1, 1, 1, 0, 0]), [8]);
    const [bytes] = eager.op('mask_rle', [...inputs, null, geometry], {});
    await t.throwsAsync(bytes!.read(), ARGUMENT);
  }
});

test('geometry names no more pixels than were given', async (t) => {
  const recorder = new Recorder('cpu');
  const pixels = recorder.input('uint8', [100, 100, 3], true);
  const geometry = recorder.input('float32', [8]);
  const settings = { padded_size: [32, 32], mean: [0, 0, 0], std: [1, 1, 1] };
  const plan = recorder.finish(recorder.op('preprocess', [pixels, geometry], settings));
  const run = (height: number, width: number, bytes: number) =>
    plan.run([new Uint8Array(bytes), Float32Array.from([height, width, 8, 8, 1, 1, 0, 0])]);
  t.is((await run(10, 10, 300))[0]!.data.length, 3 * 32 * 32);
  await t.throwsAsync(run(10, 11, 300), ARGUMENT);
  await t.throwsAsync(run(-1e19, 10, 300), ARGUMENT);
  await t.throwsAsync(run(Number.NaN, 10, 300), ARGUMENT);
  await t.throwsAsync(run(4e9, 4e9, 300), ARGUMENT);
  plan.dispose();
});

test('steps of an optimiser are counted as far as an int32 reaches', async (t) => {
  const steps = integers(2 ** 31 - 1);
  const [applied] = eager.op('adamw', [null, steps, floats(3), floats(3), floats(3), floats(3)], { lr: 0.1 });
  t.is((await applied!.read()).data[0], 1);
  t.is((await steps.read()).data[0], 2 ** 31 - 1);
});

test('inputs that no memory holds are refused as they are recorded', (t) => {
  const recorder = new Recorder('cpu');
  const x = recorder.input('float32', [0, 2 ** 40, 2 ** 40]);
  t.throws(() => recorder.op('scale', [x], {}), { code: 'ERR_NLRCNN_SHAPE' });
});
