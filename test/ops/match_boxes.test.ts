import test from 'ava';
import { onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens } from '../helpers/goldens.js';
import { runCase } from '../helpers/run-op.js';

const goldens = loadGoldens('match_boxes');

for (const [device, testCase] of onDevices(loadCases('match_boxes'))) {
  test(`${device} match_boxes ${testCase.name} matches what torchvision matches`, async (t) => {
    const { out } = await runCase('match_boxes', testCase, { device });
    t.deepEqual(Array.from(out!.data), Array.from(golden(goldens, `${testCase.name}.out`).data));
  });
}
