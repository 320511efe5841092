import test from 'ava';
import { cellAnchors } from '../../dist/models/anchors.js';
import { ops } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens, relativeError } from '../helpers/goldens.js';
import { uniform } from '../helpers/random.js';
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

for (const device of DEVICES) {
  test(`${device} rpn_proposals of a batch are those of each image alone`, async (t) => {
    const sizes = [
      [12, 20],
      [6, 10],
    ] as const;
    const images = [
      [90, 150],
      [96, 71],
      [40, 160],
    ] as const;
    const map = (channels: number, seed: number, [h, w]: readonly [number, number]) =>
      uniform(seed, images.length * channels * h * w, -1, 1);
    const objectness = sizes.map((size, l) => map(3, 95001 + l, size));
    const deltas = sizes.map((size, l) => map(12, 95011 + l, size));
    const propose = async (first: number, count: number) => {
      const part = (data: Float32Array, channels: number, [h, w]: readonly [number, number]) => {
        const each = channels * h * w;
        return Tensor.from(data.slice(first * each, (first + count) * each), [count, channels, h, w], device);
      };
      const geometry = images.slice(first, first + count).flatMap(([h, w]) => [h, w, h, w, 1, 1, 0, 0]);
      const {
        boxes,
        scores,
        count: counts,
      } = ops.rpnProposals(
        objectness.map((data, l) => part(data, 3, sizes[l]!)),
        deltas.map((data, l) => part(data, 12, sizes[l]!)),
        {
          cellAnchors: cellAnchors([[16], [32]], [0.5, 1, 2]),
          imageSize: [1, 1],
          geometry: Tensor.from(Float32Array.from(geometry), [count, 8], device),
          paddedSize: [96, 160],
          preNmsTopN: 200,
          postNmsTopN: 150,
          nmsThresh: 0.7,
          scoreThresh: 0,
        },
      );
      return Promise.all(
        [boxes, scores, counts].map(async (tensor) => Array.from((await tensor.read()).data as Float32Array)),
      );
    };
    const alone = await Promise.all(images.map((_, n) => propose(n, 1)));
    t.deepEqual(
      await propose(0, images.length),
      [0, 1, 2].map((i) => alone.flatMap((outputs) => outputs[i]!)),
    );
    t.true(alone.every(([, , count]) => Number(count![0]) > 50));
  });
}
