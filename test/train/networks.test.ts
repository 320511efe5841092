import test from 'ava';
import { Tape } from '../../dist/autograd/tape.js';
import { Tensor } from '../../dist/tensor.js';
import { CUDA, EMULATED, onDevices } from '../helpers/device.js';
import { sampleStride } from '../helpers/families.js';
import { parameterLimit } from '../helpers/float32.js';
import { golden, relativeError } from '../helpers/goldens.js';
import { loadTrainingCase, TRAINING_CASES } from '../helpers/training-cases.js';

const SAMPLES = 64;
const ORDER = [
  'loss_classifier',
  'loss_box_reg',
  'loss_mask',
  'loss_objectness',
  'loss_rpn_box_reg',
] as const;

/** Every stride-th value, as the goldens hold them. */
function strided(data: Float32Array): Float32Array {
  const stride = sampleStride(data.length, SAMPLES);
  return Float32Array.from({ length: Math.ceil(data.length / stride) }, (_, i) => data[i * stride]!);
}

const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0));

// The emulation takes minutes for deep networks.
const cases = onDevices(TRAINING_CASES).filter(
  ([device, { name }]) => !(EMULATED && device === CUDA && name.startsWith('r50')),
);

for (const [device, testCase] of cases) {
  test(`${device} ${testCase.name}: losses and all gradients agree with torchvision`, async (t) => {
    const { network, samples, goldens, given } = loadTrainingCase(testCase, device);
    const tape = new Tape();
    const losses = await network.losses(tape, { samples }, { seed: 1, step: 0, given });
    const tensors = ORDER.flatMap((name) => losses[name] ?? []);
    const values = await Promise.all(tensors.map(async (tensor) => (await tensor.read()).data[0] as number));
    const expected = golden(goldens, 'losses').data;
    t.is(values.length, expected.length);
    for (const [i, wanted] of expected.entries()) {
      t.true(
        Math.abs(values[i]! - wanted) <= 1e-4 * Math.abs(wanted),
        `loss ${i}: ${values[i]} instead of ${wanted}`,
      );
    }
    const gradients = tape.backward(tensors, Tensor.from(Float32Array.of(1), [1], device));
    const names = [...goldens.keys()].filter((key) => key.startsWith('norm/')).map((key) => key.slice(5));
    t.deepEqual(network.trainable.map(({ name }) => name).sort(), names.sort());
    let [difference, whole] = [0, 0];
    const largest = Math.max(...names.map((name) => golden(goldens, `norm/${name}`).data[0]!));
    for (const { name, tensor } of network.trainable) {
      const gradient = (await gradients.get(tensor)!.read()).data as Float32Array;
      const wanted = golden(goldens, `grad/${name}`).data;
      const size = golden(goldens, `norm/${name}`).data[0]!;
      // A gradient that is zero by construction is rounding alone.
      const floor = Math.max(size, 1e-6 * largest);
      const limit = parameterLimit(testCase.name, name, device);
      t.true(
        Math.abs(norm(gradient) - size) <= limit * floor,
        `${name}: norm ${norm(gradient)} instead of ${size}`,
      );
      const picked = strided(gradient);
      const scale = Math.max(norm(wanted), 1e-6 * largest * Math.sqrt(wanted.length / gradient.length));
      const distance = norm(picked.map((value, i) => value - wanted[i]!));
      t.true(distance <= limit * scale, `${name}: ${distance / scale} in norm`);
      difference += (distance ** 2 * gradient.length) / wanted.length;
      whole += size ** 2;
    }
    t.true(difference <= 1e-6 * whole, `all: ${Math.sqrt(difference / whole)} in norm`);
    for (const gradient of new Set(gradients.values())) gradient.dispose();
    const state = await network.state();
    for (const [key, { data }] of goldens) {
      if (!key.startsWith('buffer/')) continue;
      const error = relativeError(strided(state.get(key.slice(7))!.data), data as Float32Array);
      t.true(error <= 1e-4, `${key}: ${error}`);
    }
    network.dispose();
  });
}
