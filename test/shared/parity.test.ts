import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compareDetections } from '../helpers/agreement.js';
import type { ExpectedDetection } from '../helpers/model-cases.js';
import { runCli } from '../helpers/run-node.js';

// Reference cases that may lie beside the checkout; see spec/contract.md there.
const PARITY = join(__dirname, '..', '..', '..', 'shared', 'parity');

if (!existsSync(PARITY)) test.skip('parity cases: none beside this checkout', (t) => t.pass());
else {
  for (const name of readdirSync(PARITY)) {
    const folder = join(PARITY, name);
    const pointer = join(folder, 'weights.txt');
    const weights = existsSync(pointer)
      ? join(folder, readFileSync(pointer, 'utf8').trim(), 'weights.safetensors')
      : join(folder, 'weights.safetensors');

    test(`${name}: the command line agrees with torchvision`, async (t) => {
      const images = readdirSync(join(folder, 'images'));
      const paths = images.map((image) => join(folder, 'images', image));
      const flags = [
        '--weights',
        weights,
        '--config',
        join(folder, 'config.json'),
        '--format',
        'json',
        '--out',
        '-',
      ];
      const { code, stdout, stderr } = await runCli('segment', ...paths, ...flags);
      t.is(code, 0, stderr);
      const results = [JSON.parse(stdout)].flat();
      for (const [i, image] of images.entries()) {
        const file = join(folder, 'expected', image.replace(/\.\w+$/, '.json'));
        const expected = JSON.parse(readFileSync(file, 'utf8')).detections as ExpectedDetection[];
        const { box, score, iou } = compareDetections(results[i].detections, expected);
        t.is(results[i].detections.length, expected.length, image);
        t.true(box <= 0.05, `${image}: boxes differ by ${box} px`);
        t.true(score <= 2e-4, `${image}: scores differ by ${score}`);
        t.true(iou >= 0.995, `${image}: masks overlap by ${iou}`);
      }
    });
  }
}
