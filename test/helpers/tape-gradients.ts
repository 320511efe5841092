import { Tape } from '../../dist/autograd/tape.js';
import { Recorder } from '../../dist/device.js';
import { opsFor } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import type { Place } from './device.js';
import { loadCases, loadGoldens } from './goldens.js';
import { type GradientCase, gradientCase } from './gradients.js';
import { makeInput } from './inputs.js';
import { attend, place, RUNS } from './run-op.js';

// As in test/goldens/training.py.
const GRADIENT_SEED = 800000;

const goldens = loadGoldens('training');

/** The cases of an op, with their gradients. */
export function tapeCases(op: string): GradientCase[] {
  return loadCases(op).map((testCase, index) => gradientCase(testCase, index, op, 'training', goldens));
}

/**
 * Runs a case under a tape and back: the gradients of the inputs that `expected` names. `seed` is that of the upstream
 * gradients.
 */
export async function tapeGradients(
  op: string,
  { testCase, index, expected }: GradientCase,
  where: Place,
  seed = GRADIENT_SEED,
): Promise<Map<string, Float32Array>> {
  const inputs = place(testCase, where);
  const { device, precision = 'fp32' } = where;
  const recorder = precision === 'fp32' ? undefined : new Recorder(device, precision);
  using tape = new Tape(recorder);
  const names = [...expected.keys()];
  tape.watch(...names.map((name) => inputs[name]!));
  const run = op === 'non_local_roi' ? attend : RUNS[op]!;
  const given = new Set(Object.values(inputs));
  // What an op wrote in place is no output to go back from.
  const outputs = Object.values(run(opsFor(tape), inputs, testCase)).filter((output) => !given.has(output));
  const upstream = outputs.map(({ shape }, j) => {
    const spec = { shape: [...shape], seed: seed + 100000 * j + index, lo: -1, hi: 1 };
    return Tensor.from(makeInput(spec).data, shape, device);
  });
  const grads = tape.backward(outputs, upstream);
  const found = names.map((name) => {
    const grad = grads.get(inputs[name]!);
    if (!grad) throw new Error(`Expected a gradient of ${name} but the tape gave none`);
    return grad;
  });
  const plan = recorder?.finish(found);
  const read = plan ? await plan.run([]) : await Promise.all(found.map((grad) => grad.read()));
  plan?.dispose();
  return new Map(names.map((name, i) => [name, read[i]!.data as Float32Array]));
}
