import test from 'ava';
import { EMULATED } from '../helpers/device.js';
import { runNode } from '../helpers/run-node.js';

// Terminated workers, process.exit() and uncaught errors in the middle of work; `npm run check:environments` does the
// same hundreds of times.
const places: [string, string, string][] = [['cpu', 'ops,segment,load,loader,train', '4']];
if (EMULATED) places.push(['cuda:0', 'ops,segment', '2']);

for (const [device, kinds, times] of places) {
  test(`only the environment that is ended ends, on ${device}`, async (t) => {
    const options = { device, kinds, times, seconds: '2' };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const { code, stdout, stderr } = await runNode(['scripts/check-environments.mjs', ...args]);
    t.is(code, 0, stdout + stderr);
    t.deepEqual(JSON.parse(stdout).failures, []);
  });
}
