import test from 'ava';
import { onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens, relativeError } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

for (const op of ['rpn_proposals', 'box_detections']) {
  const goldens = loadGoldens(op);
  for (const [device, testCase] of onDevices(loadCases(op))) {
    test(`${device} ${op} ${testCase.name} chooses what torchvision chooses`, async (t) => {
      const { boxes, scores, labels, count } = await runCase(op, testCase, { device });
      const expected = golden(goldens, `${testCase.name}.boxes`);
      const n = count!.data[0]!;
      t.is(n, expected.shape[0]!);
      t.true(relativeError(boxes!.data.subarray(0, 4 * n), expected.data) <= 1e-5);
      t.true(
        relativeError(scores!.data.subarray(0, n), golden(goldens, `${testCase.name}.scores`).data) <= 1e-5,
      );
      t.true(boxes!.data.subarray(4 * n).every((v) => v === 0));
      if (labels) {
        const wanted = golden(goldens, `${testCase.name}.labels`).data;
        t.deepEqual(Array.from(labels.data.subarray(0, n)), Array.from(wanted));
      }
    });
  }
}
