import test from 'ava';
import { onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

for (const op of ['nms', 'batched_nms']) {
  const goldens = loadGoldens(op);
  for (const [device, testCase] of onDevices(loadCases(op))) {
    test(`${device} ${op} ${testCase.name} keeps the boxes that torchvision keeps`, async (t) => {
      const { keep } = await runCase(op, testCase, { device });
      t.deepEqual(Array.from(keep!.data), Array.from(golden(goldens, `${testCase.name}.keep`).data));
    });
  }
}
