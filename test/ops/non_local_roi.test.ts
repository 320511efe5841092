import test from 'ava';
import type { Device } from '../../dist/device.js';
import { ops } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { loadCases, loadGoldens, outputError, relativeError } from '../helpers/goldens.js';
import { makeInput } from '../helpers/inputs.js';
import { place, runCase } from '../helpers/run-op.js';

const goldens = loadGoldens('non_local_roi');
const cases = loadCases('non_local_roi');

for (const [device, testCase] of onDevices(cases)) {
  test(`${device} non_local_roi ${testCase.name} agrees with the plain composition in float64`, async (t) => {
    const outputs = await runCase('non_local_roi', testCase, { device });
    for (const name of ['y', 'fc', 'conv']) {
      const error = outputError(goldens, testCase, outputs[name]!.data, name);
      t.true(error <= 1e-5, `${name}: relative error ${error}`);
    }
  });
}

/** y of a case with its RoIs in another order or cut, [n, D_g]. */
async function attend(
  device: Device,
  name: string,
  rows: (x: Float32Array[]) => Float32Array[],
  segments: number[],
  rowsPerSegment?: number,
) {
  const testCase = cases.find((c) => c.name === name)!;
  const { x: _, ...weights } = place(testCase, { device });
  const { data, shape } = makeInput(testCase.inputs.x!);
  const size = data.length / shape[0]!;
  const list = rows(
    Array.from({ length: shape[0]! }, (_, k) => (data as Float32Array).subarray(k * size, (k + 1) * size)),
  );
  const flat = new Float32Array(list.length * size);
  list.forEach((row, k) => {
    flat.set(row, k * size);
  });
  const pair = (part: string) => ({ weight: weights[`${part}.weight`]!, bias: weights[`${part}.bias`]! });
  const y = ops.nonLocalRoi(
    Tensor.from(flat, [list.length, ...shape.slice(1)], device),
    { phi: pair('phi'), psi: pair('psi'), g1x1: pair('g_1x1'), g3x3: pair('g_3x3') },
    {
      scale: 'rsqrt',
      rowsPerSegment,
      segments: Tensor.from(Int32Array.from(segments), [segments.length], device),
    },
  );
  const read = await y.read();
  const width = read.shape[1]!;
  return list.map((_, k) => (read.data as Float32Array).slice(k * width, (k + 1) * width));
}

for (const device of DEVICES) {
  test(`${device} non_local_roi: segments with rows of their own are the same as side by side`, async (t) => {
    const rows = (x: Float32Array[]) => x.slice(0, 40);
    const beside = await attend(device, 'eg-n300', (x) => [...x.slice(0, 13), ...x.slice(20, 40)], [13, 20]);
    const apart = await attend(device, 'eg-n300', rows, [13, 20], 20);
    for (const [k, row] of beside.entries())
      t.true(relativeError(apart[k < 13 ? k : k + 7]!, row) <= 1e-6, `row ${k}`);
    t.true(apart.slice(13, 20).every((row) => row.every((v) => v === 0)));
  });

  test(`${device} non_local_roi: permuting the RoIs permutes the output`, async (t) => {
    const order = Array.from({ length: 300 }, (_, k) => (k * 7) % 300);
    const straight = await attend(device, 'eg-n300', (x) => x, [300]);
    const permuted = await attend(device, 'eg-n300', (x) => order.map((k) => x[k]!), [300]);
    for (const [k, row] of permuted.entries()) t.true(relativeError(row, straight[order[k]!]!) <= 1e-5);
  });

  test(`${device} non_local_roi: RoIs of another image change nothing, and rows beyond the segments are zero`, async (t) => {
    const alone = await attend(device, 'eg-n300', (x) => x.slice(0, 120), [120]);
    const beside = await attend(device, 'eg-n300', (x) => x, [120, 150]);
    for (const [k, row] of alone.entries()) t.true(relativeError(beside[k]!, row) <= 1e-6);
    t.true(beside.slice(270).every((row) => row.every((v) => v === 0)));
  });
}
