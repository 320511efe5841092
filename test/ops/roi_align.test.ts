import test from 'ava';
import { onDevices } from '../helpers/device.js';
import { loadCases, loadGoldens, outputError } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

for (const op of ['roi_align', 'multi_scale_roi_align']) {
  const goldens = loadGoldens(op);
  for (const [device, testCase] of onDevices(loadCases(op))) {
    test(`${device} ${op} ${testCase.name} agrees with torchvision`, async (t) => {
      const { out } = await runCase(op, testCase, { device });
      const error = outputError(goldens, testCase, out!.data);
      t.true(error <= 1e-5, `relative error ${error}`);
    });
  }
}
