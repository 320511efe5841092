import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { HostParameter } from '../../dist/layers/parameters.js';
import { adaptState, initialState } from '../../dist/train/initialize.js';
import { parseConfig } from '../../dist/weights/config.js';
import { expectedShapes } from '../../dist/weights/expected.js';
import { readClassNames } from '../../dist/weights/load.js';
import { writeSafetensors } from '../../dist/weights/write-safetensors.js';
import { readJson } from '../helpers/model-cases.js';

const SMALL = { backbone: 'resnet18', fpn_channels: 32, box_head_fc: 64, mask_head_channels: 32 };
const config = (more: Record<string, unknown> = {}) => parseConfig({ ...SMALL, num_classes: 4, ...more });

interface Statistics {
  shape: number[];
  deviation: number;
  /** The largest absolute value that can occur; null: normal. */
  bound: number | null;
}

/** Whether two tensors are the same bits; deepEqual takes seconds for millions of values. */
function same(a: HostParameter | undefined, b: HostParameter | undefined): boolean {
  const bytes = ({ data }: HostParameter) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return !!a && !!b && a.shape.join() === b.shape.join() && bytes(a).equals(bytes(b));
}

function moments({ data }: HostParameter): { mean: number; deviation: number; largest: number } {
  let [sum, squares, largest] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    sum += value;
    squares += value * value;
    largest = Math.max(largest, Math.abs(value));
  }
  const mean = sum / data.length;
  return { mean, deviation: Math.sqrt(Math.max(0, squares / data.length - mean * mean)), largest };
}

for (const [name, { config: own, tensors }] of Object.entries(readJson('goldens', 'initialization.json')) as [
  string,
  { config: Record<string, unknown>; tensors: Record<string, Statistics> },
][]) {
  test(`${name}: weights are distributed as torchvision's`, (t) => {
    const state = initialState(parseConfig(own), 7);
    t.deepEqual([...state.keys()].sort(), Object.keys(tensors).sort());
    for (const [key, { shape, deviation, bound }] of Object.entries(tensors)) {
      const parameter = state.get(key)!;
      const found = moments(parameter);
      const count = parameter.data.length;
      t.deepEqual([...parameter.shape], shape);
      if (deviation === 0) {
        t.true(found.deviation < 1e-9, key);
        t.is(found.mean, bound!, key);
        continue;
      }
      // Four standard errors of a mean and of a deviation.
      t.true(Math.abs(found.mean) <= (4 * deviation) / Math.sqrt(count), `${key}: mean ${found.mean}`);
      t.true(
        Math.abs(found.deviation / deviation - 1) <= 4 / Math.sqrt(2 * count) + 0.02,
        `${key}: ${found.deviation} instead of ${deviation}`,
      );
      if (bound === null) t.true(count < 500 || found.largest > 2.5 * deviation, `${key} has no tails`);
      else t.true(found.largest <= bound * (1 + 1e-6), `${key}: ${found.largest} beyond ${bound}`);
    }
  });
}

test('the same seed gives the same weights, another seed others', (t) => {
  const [a, b, c] = [1, 1, 2].map((seed) => initialState(config(), seed));
  t.true([...a!].every(([name, parameter]) => same(parameter, b!.get(name))));
  t.false(same(a!.get('rpn.head.conv.0.0.weight'), c!.get('rpn.head.conv.0.0.weight')));
});

test('another class count keeps all but the predictors', (t) => {
  const from = initialState(config(), 1);
  const { state, initialised, extended, unused } = adaptState(from, config({ num_classes: 7 }), 2);
  t.deepEqual(
    initialised.sort(),
    [
      'roi_heads.box_predictor.bbox_pred.bias',
      'roi_heads.box_predictor.bbox_pred.weight',
      'roi_heads.box_predictor.cls_score.bias',
      'roi_heads.box_predictor.cls_score.weight',
      'roi_heads.mask_predictor.mask_fcn_logits.bias',
      'roi_heads.mask_predictor.mask_fcn_logits.weight',
    ].sort(),
  );
  t.deepEqual([extended, unused], [[], []]);
  for (const [name, shape] of expectedShapes(config({ num_classes: 7 }))) {
    t.deepEqual([...state.get(name)!.shape], [...shape]);
    if (!initialised.includes(name)) t.true(same(state.get(name), from.get(name)));
  }
});

test('a plain network gets the block: new columns behind a concat are zero', (t) => {
  const from = initialState(config(), 1);
  const block = { non_local_roi: { embed_channels: 8, value_channels: 16 } };
  const { state, initialised, extended } = adaptState(from, config(block), 2);
  t.true(initialised.every((name) => /^roi_heads\.(box|mask)_nl\./.test(name)));
  t.deepEqual(extended.sort(), ['roi_heads.box_head.fc6.weight', 'roi_heads.mask_head.0.0.weight']);
  const [old, wide] = [from, state].map((weights) => weights.get('roi_heads.box_head.fc6.weight')!.data);
  const [left, row] = [32 * 49, 48 * 49];
  for (let o = 0; o < 64; o++) {
    const kept = wide!.subarray(o * row, o * row + left);
    t.true(kept.every((value, i) => value === old![o * left + i]));
    t.true(wide!.subarray(o * row + left, (o + 1) * row).every((value) => value === 0));
  }
});

test('a ResNet alone is enough, its classifier is not used', (t) => {
  const full = initialState(config(), 1);
  const body = new Map(
    [...full]
      .filter(([name]) => name.startsWith('backbone.body.'))
      .map(([name, value]) => [name.slice('backbone.body.'.length), value]),
  );
  body.set('fc.weight', { shape: [2, 2], data: new Float32Array(4) });
  const { state, initialised, unused } = adaptState(body, config(), 2);
  t.deepEqual(unused, ['backbone.body.fc.weight']);
  t.is(initialised.length, state.size - body.size + 1);
  t.true(same(state.get('backbone.body.conv1.weight'), full.get('backbone.body.conv1.weight')));
});

test('weights of another body are refused by name', (t) => {
  const from = initialState(config({ backbone: 'resnet34' }), 1);
  t.notThrows(() => adaptState(from, config(), 2));
  t.throws(() => adaptState(initialState(config(), 1), config({ backbone: 'resnet34' }), 2), {
    code: 'ERR_NLRCNN_WEIGHTS',
    message: /missing backbone\.body\.layer1\.2\.conv1\.weight/,
  });
  t.throws(() => adaptState(from, config({ fpn_channels: 48 }), 2), {
    code: 'ERR_NLRCNN_WEIGHTS',
    message:
      /backbone\.fpn\.inner_blocks\.0\.0\.weight of shape \[48, 64, 1, 1\] but received \[32, 64, 1, 1\]/,
  });
});

test('predictors keep the rows of classes of the same name, wherever they are', (t) => {
  const before = ['background', 'car', 'dog', 'cat'];
  const class_names = ['__background__', 'cat', 'bird', 'car', 'cow'];
  const from = initialState(config(), 1);
  const now = config({ num_classes: 5, class_names });
  const { state, initialised, notes } = adaptState(from, now, 2, before);
  const fresh = initialState(now, 2);
  t.deepEqual(initialised, []);
  t.deepEqual(notes, [
    'classes that the given weights lack, so random: bird, cow',
    'classes of the given weights, but not of the model: dog',
  ]);
  // [label]: the row in the given weights; -1: drawn anew.
  const rows = [0, 3, -1, 1, -1];
  for (const [layer, perClass] of [
    ['box_predictor.cls_score', 1],
    ['box_predictor.bbox_pred', 4],
    ['mask_predictor.mask_fcn_logits', 1],
  ] as const) {
    for (const part of ['weight', 'bias']) {
      const name = `roi_heads.${layer}.${part}`;
      const [own, old, random] = [state, from, fresh].map((weights) => weights.get(name)!);
      const size = own!.data.length / 5;
      t.is(old!.shape[0], 4 * perClass);
      for (const [label, row] of rows.entries()) {
        const [source, at] = row < 0 ? [random!, label] : [old!, row];
        const expected = source.data.slice(at * size, (at + 1) * size);
        t.deepEqual(own!.data.slice(label * size, (label + 1) * size), expected, `${name} ${label}`);
      }
    }
  }
});

test('as many classes in another order are not taken by rank; the same order is taken whole', (t) => {
  const names = ['background', 'car', 'dog', 'cat'];
  const from = initialState(config(), 1);
  const name = 'roi_heads.box_predictor.cls_score.bias';
  const bias = (class_names: string[], given: string[]) => {
    const found = adaptState(from, config({ class_names }), 2, given);
    return { data: [...found.state.get(name)!.data], initialised: found.initialised, notes: found.notes };
  };
  const [zero, car, dog, cat] = from.get(name)!.data;
  t.deepEqual(bias(['background', 'cat', 'car', 'dog'], names).data, [zero, cat, car, dog]);
  t.deepEqual(bias(names, names), { data: [zero, car, dog, cat], initialised: [], notes: [] });
  // No class in common: all begins anew, the background too.
  const other = bias(['background', 'a', 'b', 'c'], names);
  t.is(other.initialised.length, 6);
  t.notDeepEqual(other.data, [zero, car, dog, cat]);
  // Weights that name none, or names of another count, are taken in order, and a note says so.
  for (const given of [[], ['background', 'a']]) {
    const { data, notes } = bias(names, given);
    t.deepEqual(data, [zero, car, dog, cat]);
    t.regex(notes.join(), /do not name their classes: taken to be car, dog, cat, in this order/);
  }
  t.throws(() => bias(names, ['background', 'car', 'car', 'dog']), {
    message: /given weights but car is there twice/,
  });
});

test('class names of weights are those of the config beside them, else of their metadata', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  const path = join(folder, 'weights.safetensors');
  const tensors = new Map([['a', { shape: [1], data: new Float32Array(1) }]]);
  await writeSafetensors(path, tensors);
  t.deepEqual(await readClassNames(path), []);
  await writeSafetensors(path, tensors, { 'nlrcnn.config': '{"class_names": ["bg", "inside"]}' });
  t.deepEqual(await readClassNames(path), ['bg', 'inside']);
  writeFileSync(join(folder, 'config.json'), '{"class_names": ["bg", "beside"]}');
  t.deepEqual(await readClassNames(path), ['bg', 'beside']);
  writeFileSync(join(folder, 'config.json'), '{"norm_eps": 0}');
  t.deepEqual(await readClassNames(path), []);
});
test('a config whose tensors no array can hold is refused', (t) => {
  const huge = config({ num_classes: 100_000, box_head_fc: 65_536 });
  t.throws(() => initialState(huge, 1), {
    code: 'ERR_NLRCNN_CONFIG',
    message: /fc7\.weight of this config has shape \[65536, 65536\]/,
  });
});
