import { join } from 'node:path';
import test from 'ava';
import { loadModel } from '../../dist/model.js';
import { attentionRow } from '../../dist/models/attention.js';
import { ops } from '../../dist/ops/internal.js';
import type { Tensor } from '../../dist/tensor.js';
import { loadCases, relativeError } from '../helpers/goldens.js';
import { attend, place } from '../helpers/run-op.js';

const touching = join(__dirname, '..', '..', 'models', 'samples', 'touching.png');
const read = async (tensor: Tensor) => (await tensor.read()).data as Float32Array;

/** g(x_j), [K, D_g], by its definition: both convolutions at every place, then the mean. */
async function valuesOf(inputs: Record<string, Tensor>): Promise<number[][]> {
  const inner = ops.conv2d(inputs.x!, inputs['g_1x1.weight']!, { bias: inputs['g_1x1.bias']! });
  const g = ops.conv2d(inner, inputs['g_3x3.weight']!, { bias: inputs['g_3x3.bias']!, padding: [1, 1] });
  const [rows, channels, height, width] = g.shape as [number, number, number, number];
  const data = await read(g);
  const places = height * width;
  const mean = (from: number) => data.subarray(from, from + places).reduce((a, b) => a + b, 0) / places;
  return Array.from({ length: rows }, (_, k) =>
    Array.from({ length: channels }, (_, c) => mean((k * channels + c) * places)),
  );
}

const cases = loadCases('non_local_roi').filter(
  ({ attrs, inputs }) => attrs.segments.length === 1 && inputs.x!.shape[0]! > 0 && inputs.x!.shape[0]! <= 40,
);

test('the cases cover every pairwise function and several heads', (t) => {
  t.deepEqual([...new Set(cases.map(({ attrs }) => attrs.pairwise))].sort(), [
    'concatenation',
    'dot_product',
    'embedded_gaussian',
    'gaussian',
  ]);
  t.true(cases.some(({ attrs }) => attrs.num_heads > 1));
});

for (const testCase of cases) {
  test(`${testCase.name}: attention times g is what the op gives`, async (t) => {
    const { attrs } = testCase;
    const inputs = place(testCase, { device: 'cpu' }) as Record<string, Tensor>;
    const y = await read(attend(ops, inputs, testCase).y!);
    const embed = (part: 'phi' | 'psi') =>
      attrs.pairwise === 'gaussian'
        ? inputs.x!
        : ops.conv2d(inputs.x!, inputs[`${part}.weight`]!, { bias: inputs[`${part}.bias`]! });
    const phi = embed('phi');
    const embeddings = {
      phi: await read(phi),
      psi: await read(embed('psi')),
      wF: inputs.w_f && (await read(inputs.w_f)),
    };
    const values = await valuesOf(inputs);
    const [count, width] = [values.length, values[0]!.length];
    const rowLength = phi.shape.slice(1).reduce((a, b) => a * b, 1);
    const made = Array.from({ length: count }, (_, i) => {
      const perHead = attentionRow(embeddings, i, count, rowLength, {
        heads: ['box'],
        fusion: 'concat',
        embed_channels: phi.shape[1]!,
        value_channels: width,
        pairwise: attrs.pairwise,
        scale: attrs.scale,
        num_heads: attrs.num_heads,
      });
      return Array.from({ length: width }, (_, c) => {
        const head = perHead[Math.floor((c * attrs.num_heads) / width)]!;
        return head.reduce((sum, weight, j) => sum + weight * values[j]![c]!, 0);
      });
    });
    const error = relativeError(made.flat(), y);
    t.true(error <= 1e-5, `relative error ${error}`);
  });
}

test('a model tells which RoIs a detection attends to, before either head', async (t) => {
  const model = await loadModel({ device: 'cpu' });
  const { detections } = await model.segment(touching);
  const before = await model.attention(touching, { roi: 3 });
  t.is(before.head, 'mask');
  t.is(before.roi, 3);
  t.deepEqual(before.detections, detections);
  t.deepEqual(
    before.rois.map(({ box }) => box),
    detections.map(({ box }) => box),
  );
  const boxes = await model.attention(touching, { roi: 3, head: 'box' });
  t.is(boxes.rois.length, model.config.rpn_post_nms_top_n);
  // Boxes are refined proposals.
  const [own, box] = [boxes.rois[boxes.roi]!.box, detections[3]!.box];
  t.true(own.every((value, c) => Math.abs(value - box[c]!) < 8));
  for (const { weights, perHead } of [before, boxes]) {
    t.true(Math.abs(weights.reduce((a, b) => a + b, 0) - 1) < 1e-9);
    t.deepEqual(perHead, [weights]);
  }
  await t.throwsAsync(model.attention(touching, { roi: detections.length }), {
    code: 'ERR_NLRCNN_ARGUMENT',
    message: /0 to \d+, for roi/,
  });
  model.dispose();
});
