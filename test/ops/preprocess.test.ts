import test from 'ava';
import { onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens, outputError } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

const goldens = loadGoldens('preprocess');
// The goldens are float64 all the way; torchvision in float32 differs from them by up to this much, in its coordinates.
const TOLERANCE = 2e-4;

for (const [device, testCase] of onDevices(loadCases('preprocess'))) {
  test(`${device} preprocess ${testCase.name} agrees with torchvision`, async (t) => {
    const { out } = await runCase('preprocess', testCase, { device });
    t.deepEqual(out!.shape.slice(2), Array.from(golden(goldens, `${testCase.name}.padded`).data));
    const error = outputError(goldens, testCase, out!.data);
    t.true(error <= TOLERANCE, `relative error ${error}`);
  });
}
