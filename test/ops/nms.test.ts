import test from 'ava';
import { golden, loadCases, loadGoldens } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

for (const op of ['nms', 'batched_nms']) {
  const goldens = loadGoldens(op);
  for (const testCase of loadCases(op)) {
    test(`${op} ${testCase.name} keeps the boxes that torchvision keeps`, async (t) => {
      const { keep } = await runCase(op, testCase);
      t.deepEqual(Array.from(keep!.data), Array.from(golden(goldens, `${testCase.name}.keep`).data));
    });
  }
}
